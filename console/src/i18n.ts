/** Three languages; each file is loaded when it is chosen, and English where a browser asks for none of them. */
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import en from "./locales/en.json";

export const LANGUAGES = { en: "English", ja: "日本語", "zh-Hans": "简体中文" } as const;
export type Language = keyof typeof LANGUAGES;

const STORED = "goc.language";
const FILES: Record<Exclude<Language, "en">, () => Promise<{ default: object }>> = {
  ja: () => import("./locales/ja.json"),
  "zh-Hans": () => import("./locales/zh-Hans.json"),
};

function preferred(): Language {
  const stored = localStorage.getItem(STORED);
  if (stored !== null && stored in LANGUAGES) return stored as Language;
  for (const wanted of navigator.languages) {
    if (wanted.startsWith("ja")) return "ja";
    if (wanted.startsWith("zh")) return "zh-Hans";
    if (wanted.startsWith("en")) return "en";
  }
  return "en";
}

export async function chooseLanguage(language: Language): Promise<void> {
  if (language !== "en" && !i18next.hasResourceBundle(language, "translation")) {
    i18next.addResourceBundle(language, "translation", (await FILES[language]()).default);
  }
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
  localStorage.setItem(STORED, language);
}

export async function startLanguages(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: "en",
    fallbackLng: "en",
    resources: { en: { translation: en } },
    // React escapes every text itself.
    interpolation: { escapeValue: false },
  });
  const language = preferred();
  if (language !== "en") await chooseLanguage(language);
}
