/** The frame round every page: navigation, language, light or dark, and the way out. */
import { AppShell, Burger, Button, Group, Menu, NavLink, Text, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import { LANGUAGES, type Language, chooseLanguage } from "../i18n";
import { useNotify } from "../jobs/notify";
import { signOut } from "../session/open";

const PAGES = ["generate", "jobs", "assets", "endpoints", "people", "usage"] as const;

export function Shell({ children }: { children: ReactNode }) {
  const { t, i18n } = useTranslation();
  const [opened, { toggle, close }] = useDisclosure(false);
  const [location] = useLocation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
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
                  onClick={() => void chooseLanguage(code as Language)}
                >
                  {name}
                </Menu.Item>
              ))}
              <Menu.Label>{t("nav.theme")}</Menu.Label>
              {(["auto", "light", "dark"] as const).map((scheme) => (
                <Menu.Item key={scheme} aria-current={colorScheme === scheme} onClick={() => setColorScheme(scheme)}>
                  {t(`nav.themes.${scheme}`)}
                </Menu.Item>
              ))}
              <Menu.Divider />
              <NotifyItem />
              <Menu.Item onClick={signOut}>{t("nav.signOut")}</Menu.Item>
            </Menu.Dropdown>
          </Menu>
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
        {children}
      </AppShell.Main>
    </AppShell>
  );
}

function NotifyItem() {
  const { t } = useTranslation();
  const { on, choose } = useNotify();
  const change = async () => {
    if (!(await choose(!on))) notifications.show({ message: t("notify.refused"), color: "red" });
  };
  return <Menu.Item onClick={() => void change()}>{t(on ? "notify.off" : "notify.on")}</Menu.Item>;
}

/** The fragment is the page's address, so a plain link to `#main` would leave the page. */
function skip(event: { preventDefault: () => void }) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
