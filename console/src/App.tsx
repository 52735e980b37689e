/** The pages and their addresses. */
import { Loader } from "@mantine/core";
import { Suspense } from "react";
import { Redirect, Route, Switch } from "wouter";
import { JobWatch } from "./jobs/JobWatch";
import { TABS } from "./params/store";
import { Shell } from "./kit/Shell";
import { PreferencesSync } from "./session/PreferencesSync";
import { useSession } from "./session/session";
import { lazily } from "./kit/lazily";

const generate = () => import("./generate/GeneratePage");
const Generate = lazily(generate);
const Assets = lazily(() => import("./assets/AssetsPage"));
const Endpoints = lazily(() => import("./admin/EndpointsPage"));
const People = lazily(() => import("./admin/PeoplePage"));
const Usage = lazily(() => import("./admin/UsagePage"));
const SignIn = lazily(() => import("./session/SignIn").then(({ SignIn }) => ({ default: SignIn })));
const LockScreen = lazily(() => import("./session/LockScreen"));
const Settings = lazily(() => import("./session/SettingsPage"));
const Jobs = lazily(() => import("./jobs/JobsPage"));

/** The page that most visits begin with comes at once, not only when React first asks for it. */
const begins = location.hash.length <= 2 || location.hash.startsWith("#/generate");
if (begins && useSession.getState().key !== null) generate().catch(() => undefined);

export function App() {
  const { key, locked } = useSession();
  if (key === null)
    return (
      <Suspense fallback={<Loader m="xl" />}>
        <SignIn />
      </Suspense>
    );
  return (
    <>
      {locked && (
        <Suspense>
          <LockScreen />
        </Suspense>
      )}
      {!locked && <JobWatch />}
      <PreferencesSync />
      <Shell>
        <Suspense fallback={<Loader m="xl" />}>
          <Switch>
            <Route path="/generate/:tab?">
              {({ tab }) => <Generate tab={TABS.find((each) => each === tab) ?? "txt2img"} />}
            </Route>
            <Route path="/jobs/:id?">{({ id }) => <Jobs chosen={id ?? null} />}</Route>
            <Route path="/assets">
              <Assets />
            </Route>
            <Route path="/endpoints">
              <Endpoints />
            </Route>
            <Route path="/people">
              <People />
            </Route>
            <Route path="/usage">
              <Usage />
            </Route>
            <Route path="/settings">
              <Settings />
            </Route>
            <Route>
              <Redirect to="/generate/txt2img" />
            </Route>
          </Switch>
        </Suspense>
      </Shell>
    </>
  );
}
