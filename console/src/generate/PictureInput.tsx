/** A place for one picture: choose, drop or paste a file; what cannot be read is said at once. */
import { Button, FileButton, Group, Stack, Text } from "@mantine/core";
import { type ClipboardEvent, type DragEvent, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { fileInput } from "../kit/fileInput";

interface Props {
  label: string;
  picture: Blob | undefined;
  /** A picture that is there already, shown until another one is chosen. */
  kept?: string | null;
  onPicture: (picture: Blob | null) => void;
  /** Instead of a plain view of the picture. */
  children?: React.ReactNode;
}

export const ACCEPTED = "image/png,image/jpeg,image/webp";

export function PictureInput({ label, picture, kept = null, onPicture, children }: Props) {
  const { t } = useTranslation();
  const [wrong, setWrong] = useState<string | null>(null);
  const [over, setOver] = useState(false);

  async function take(file: File | null | undefined) {
    if (!file) return;
    try {
      (await createImageBitmap(file)).close();
      setWrong(null);
      onPicture(file);
    } catch {
      setWrong(file.name);
    }
  }
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(event.dataTransfer.files[0]);
  };
  const paste = (event: ClipboardEvent) => {
    const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
    if (file) {
      event.preventDefault();
      void take(file);
    }
  };

  return (
    <Stack
      gap="xs"
      className="drop"
      data-over={over}
      role="group"
      aria-label={label}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      onPaste={paste}
    >
      <Group gap="xs">
        <Text size="sm" fw={500}>
          {label}
        </Text>
        <FileButton accept={ACCEPTED} onChange={(file) => void take(file)} inputProps={fileInput(label)}>
          {(props) => (
            <Button {...props} size="compact-sm" variant="default">
              {t("picture.choose")}
            </Button>
          )}
        </FileButton>
        {(picture || kept) && (
          <Button size="compact-sm" variant="default" onClick={() => onPicture(null)}>
            {t("picture.remove")}
          </Button>
        )}
      </Group>
      {wrong !== null && (
        <Text role="alert" size="sm" c="var(--mantine-color-error)">
          {t("picture.unreadable", { name: wrong })}
        </Text>
      )}
      {picture ? (
        children || <Shown picture={picture} label={label} />
      ) : kept ? (
        <img className="input-picture" src={kept} alt={label} />
      ) : (
        <Text size="sm" c="dimmed">
          {t("picture.drop")}
        </Text>
      )}
    </Stack>
  );
}

function Shown({ picture, label }: { picture: Blob; label: string }) {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(picture);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [picture]);
  return <img className="input-picture" src={url} alt={label} />;
}
