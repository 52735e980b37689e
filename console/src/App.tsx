/** The pages and their addresses. */
import { Loader, Modal } from "@mantine/core";
import { Suspense, lazy } from "react";
import { Redirect, Route, Switch } from "wouter";
import { Shell } from "./kit/Shell";
import { SignIn } from "./session/SignIn";
import { useSession } from "./session/session";

const Jobs = lazy(() => import("./jobs/JobsPage"));

export function App() {
  const { key, locked } = useSession();
  if (key === null) return <SignIn />;
  return (
    <>
      {/* What the reader has typed stays below, until another key is there. */}
      <Modal opened={locked} onClose={() => undefined} withCloseButton={false} fullScreen>
        <SignIn again />
      </Modal>
      <Shell>
        <Suspense fallback={<Loader m="xl" />}>
          <Switch>
            <Route path="/jobs/:id?">{({ id }) => <Jobs chosen={id ?? null} />}</Route>
            <Route>
              <Redirect to="/jobs" />
            </Route>
          </Switch>
        </Suspense>
      </Shell>
    </>
  );
}
