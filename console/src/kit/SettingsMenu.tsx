/** Language, light or dark, all other settings, and the way out. */
import { Button, Menu } from "@mantine/core";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { LANGUAGES, type Language } from "../i18n";
import { signOut } from "../session/open";
import { usePreferences } from "../session/preferences";

export default function SettingsMenu() {
  const { t, i18n } = useTranslation();
  const { theme, prefer } = usePreferences();
  const target = useRef<HTMLButtonElement>(null);
  return (
    <Menu
      position="bottom-end"
      withinPortal
      defaultOpened
      // The focus goes back from an item, and stays where a click outside has put it.
      onClose={() => document.activeElement?.closest("[role=menu]") && target.current?.focus()}
    >
      <Menu.Target>
        <Button ref={target} variant="default" size="xs">
          {t("nav.settings")}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{t("nav.language")}</Menu.Label>
        {Object.entries(LANGUAGES).map(([code, name]) => (
          <Menu.Item
            key={code}
            lang={code}
            aria-current={i18n.language === code}
            onClick={() => prefer({ language: code as Language })}
          >
            {name}
          </Menu.Item>
        ))}
        <Menu.Label>{t("nav.theme")}</Menu.Label>
        {(["auto", "light", "dark"] as const).map((scheme) => (
          <Menu.Item key={scheme} aria-current={theme === scheme} onClick={() => prefer({ theme: scheme })}>
            {t(`nav.themes.${scheme}`)}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item component={Link} href="/settings">
          {t("settings.all")}
        </Menu.Item>
        <Menu.Item onClick={signOut}>{t("nav.signOut")}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
