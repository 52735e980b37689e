/** The frame round every page: navigation, the lamp, the settings, and what the page shows. */
import { Burger, Button, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { type ReactNode, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import { useRights } from "../session/rights";
import { Connection } from "./Connection";
import { Faults } from "./Faults";
import { GpuLamp } from "./GpuLamp";
import { lazily } from "./lazily";

/** And the permission without which a page would have nothing to show; everybody has keys. */
const PAGES = [
  ["generate", null],
  ["jobs", "inference:list"],
  ["assets", "asset:list"],
  ["endpoints", "endpoint:list"],
  ["people", null],
  ["usage", "inference:list"],
] as const;
const loadSettings = () => import("./SettingsMenu");
const SettingsMenu = lazily(loadSettings);

export function Shell({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const [opened, { toggle, close }] = useDisclosure(false);
  const [location] = useLocation();
  const { may } = useRights();
  return (
    <div className="shell">
      <a href="#main" className="skip" onClick={(event) => skip(event)}>
        {t("nav.skip")}
      </a>
      <header className="shell-header">
        <div className="shell-name">
          <Burger
            opened={opened}
            onClick={toggle}
            hiddenFrom="sm"
            size="sm"
            aria-label={t("nav.menu")}
            aria-expanded={opened}
            aria-controls="pages"
          />
          <Text fw={700} truncate>
            {t("app.name")}
          </Text>
        </div>
        <div className="shell-state">
          <GpuLamp />
          <Settings />
        </div>
      </header>
      <nav id="pages" className="shell-pages" aria-label={t("nav.pages")} data-opened={opened}>
        {PAGES.filter(([, right]) => right === null || may(right)).map(([page]) => (
          <Link
            key={page}
            href={page === "generate" ? "/generate/txt2img" : `/${page}`}
            className="shell-page"
            aria-current={location.startsWith(`/${page}`) ? "page" : undefined}
            onClick={close}
          >
            {t(`nav.${page}`)}
          </Link>
        ))}
      </nav>
      <main id="main" className="shell-main" tabIndex={-1}>
        <Connection />
        <Faults address={location}>{children}</Faults>
      </main>
    </div>
  );
}

/** The menu is loaded when the reader comes near it. */
function Settings() {
  const { t } = useTranslation();
  const [wanted, setWanted] = useState(false);
  const button = (
    <Button
      variant="default"
      size="xs"
      aria-haspopup="menu"
      aria-expanded={false}
      onPointerEnter={() => void loadSettings()}
      onFocus={() => void loadSettings()}
      onClick={() => setWanted(true)}
    >
      {t("nav.settings")}
    </Button>
  );
  return wanted ? (
    <Suspense fallback={button}>
      <SettingsMenu />
    </Suspense>
  ) : (
    button
  );
}

/** The fragment is the page's address, so a plain link to `#main` would leave the page. */
function skip(event: { preventDefault: () => void }) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
