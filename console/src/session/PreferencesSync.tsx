/** Reads the reader's preferences once signed in, and makes language and theme follow them. */
import { useMantineColorScheme } from "@mantine/core";
import { useEffect } from "react";
import { chooseLanguage } from "../i18n";
import { usePreferences } from "./preferences";
import { useSession } from "./session";

export function PreferencesSync() {
  const { key, locked } = useSession();
  const { language, theme, load } = usePreferences();
  const { setColorScheme } = useMantineColorScheme();
  useEffect(() => {
    // Without an answer the page keeps what this browser knows.
    if (key !== null && !locked) void load().catch(() => undefined);
  }, [key, locked, load]);
  useEffect(() => {
    if (language !== null) void chooseLanguage(language);
  }, [language]);
  useEffect(() => setColorScheme(theme), [theme, setColorScheme]);
  return null;
}
