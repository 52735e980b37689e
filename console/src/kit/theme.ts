/** Mantine's theme with contrasts that pass WCAG AA, in light and dark. */
import { type CSSVariablesResolver, createTheme } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "indigo",
  primaryShade: { light: 8, dark: 8 },
  autoContrast: true,
  luminanceThreshold: 0.34,
  cursorType: "pointer",
  defaultRadius: "sm",
  fontFamily: "system-ui, 'Hiragino Sans', 'Noto Sans CJK JP', 'Noto Sans CJK SC', sans-serif",
  respectReducedMotion: true,
});

export const cssVariables: CSSVariablesResolver = (chosen) => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": chosen.colors.gray[7],
    "--mantine-color-placeholder": chosen.colors.gray[7],
    "--mantine-color-error": chosen.colors.red[9],
    "--mantine-color-anchor": chosen.colors.indigo[8],
  },
  dark: {
    "--mantine-color-dimmed": chosen.colors.dark[1],
    "--mantine-color-placeholder": chosen.colors.dark[1],
    "--mantine-color-error": chosen.colors.red[4],
    "--mantine-color-anchor": chosen.colors.indigo[3],
  },
});
