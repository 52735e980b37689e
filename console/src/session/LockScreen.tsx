/** Over the page when the key no longer works: what the reader has typed stays below until another key is there. */
import { Modal } from "@mantine/core";
import { SignIn } from "./SignIn";

export default function LockScreen() {
  return (
    <Modal opened onClose={() => undefined} withCloseButton={false} fullScreen>
      <SignIn again />
    </Modal>
  );
}
