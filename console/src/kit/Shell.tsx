/** The frame round every page: navigation, language, light or dark, and the way out. */
import { AppShell, Burger, Button, Group, Menu, NavLink, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import { LANGUAGES, type Language } from "../i18n";
import { signOut } from "../session/open";
import { usePreferences } from "../session/preferences";
import { Connection } from "./Connection";
import { GpuLamp } from "./GpuLamp";

const PAGES = ["generate", "jobs", "assets", "endpoints", "people", "usage"] as const;

export function Shell({ children }: { children: ReactNode }) {
  const { t, i18n } = useTranslation();
  const [opened, { toggle, close }] = useDisclosure(false);
  const [location] = useLocation();
  const { theme, prefer } = usePreferences();
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 190, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding="md"
    >
      <a href="#main" className="skip" onClick={(event) => skip(event)}>
        {t("nav.skip")}
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t("nav.menu")} />
            <Text fw={700} truncate>
              {t("app.name")}
            </Text>
          </Group>
          <Group gap="md" wrap="nowrap">
            <GpuLamp />
            <Menu position="bottom-end" withinPortal>
              <Menu.Target>
                <Button variant="default" size="xs">
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
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label={t("nav.pages")}>
        {PAGES.map((page) => (
          <NavLink
            key={page}
            component={Link}
            href={page === "generate" ? "/generate/txt2img" : `/${page}`}
            label={t(`nav.${page}`)}
            active={location.startsWith(`/${page}`)}
            aria-current={location.startsWith(`/${page}`) ? "page" : undefined}
            onClick={close}
          />
        ))}
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1}>
        <Connection />
        {children}
      </AppShell.Main>
    </AppShell>
  );
}

/** The fragment is the page's address, so a plain link to `#main` would leave the page. */
function skip(event: { preventDefault: () => void }) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
