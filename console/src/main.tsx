import "@mantine/core/styles.css";
import "./kit/console.css";
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Router } from "wouter";
import { useHashLocation } from "wouter/use-hash-location";
import { App } from "./App";
import { ProblemError } from "./api/problem";
import { startLanguages } from "./i18n";
import { openSession, takeCode } from "./session/open";
import { meOf } from "./session/rights";
import { useSession } from "./session/session";
import { cssVariables, theme } from "./kit/theme";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What the service refused it refuses again; an unreachable or busy service may come back.
      retry: (failures, error) =>
        failures < 4 && error instanceof ProblemError && (error.status === 0 || error.status === 429 || error.status >= 500),
      retryDelay: (failures, error) =>
        error instanceof ProblemError && error.retryAfter ? error.retryAfter * 1000 : Math.min(500 * 2 ** failures, 8000),
      staleTime: 5000,
    },
  },
});

await startLanguages();
const code = takeCode();
if (code !== null) {
  await openSession({ code }).then(
    (key) => useSession.getState().signIn(key, false),
    // A used or old link: the page then asks for a key.
    () => undefined,
  );
}
// Lists wait for what the key may ask for, so that comes first.
const prefetchMe = () => void queries.prefetchQuery(meOf(useSession.getState().key));
if (useSession.getState().key !== null) prefetchMe();
useSession.subscribe(({ key }, before) => {
  if (key === before.key) return;
  // What one person saw is not for the next.
  if (key === null) queries.clear();
  else prefetchMe();
});
createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <Router hook={useHashLocation}>
          <App />
        </Router>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
