/** Keeps a fault of one page from emptying the window: says so, and offers to load it again. */
import { Alert, Button } from "@mantine/core";
import { Component, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

interface Props {
  /** Another page has another address, and no fault yet. */
  address: string;
  children: ReactNode;
}

export class Faults extends Component<Props, { address: string | null }> {
  override state = { address: null };

  static getDerivedStateFromError = () => ({ address: "" });

  override componentDidCatch() {
    this.setState({ address: this.props.address });
  }

  override render() {
    const { address } = this.state;
    return address !== null && (address === "" || address === this.props.address) ? <Fault /> : this.props.children;
  }
}

function Fault() {
  const { t } = useTranslation();
  return (
    <Alert role="alert" color="red" variant="outline" title={t("connection.fault")}>
      <Button variant="default" size="xs" onClick={() => location.reload()}>
        {t("connection.reload")}
      </Button>
    </Alert>
  );
}
