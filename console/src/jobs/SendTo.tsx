/** Takes a picture and what it was made with over to a tab of Generate. */
import { Button, Menu } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import type { Schemas } from "../api/client";
import { takenOver } from "../params/fields";
import { type PictureTab, useForm } from "../params/store";
import { pictureBlob } from "./saving";
import type { Job } from "./queries";

const TARGETS: PictureTab[] = ["img2img", "sketch", "inpaint", "inpaint-sketch", "inpaint-upload", "extras", "interrogate"];

interface Props {
  job: Job;
  image: Schemas["ImageView"];
  parameters: Record<string, unknown>;
  onError: (error: unknown) => void;
}

export function SendTo({ job, image, parameters, onError }: Props) {
  const { t } = useTranslation();
  const [, go] = useLocation();
  const { setPicture, setAll, choose } = useForm();

  async function send(tab: PictureTab) {
    try {
      setPicture(tab, await pictureBlob(image));
      if (tab !== "extras" && tab !== "interrogate") take();
      go(`/generate/${tab}`);
    } catch (error) {
      onError(error);
    }
  }
  function take() {
    const seed = image.seed === null ? {} : { seed: image.seed };
    setAll({ ...takenOver(parameters), width: image.width, height: image.height, ...seed });
    if (job.checkpoint !== null) choose({ checkpoint: job.checkpoint });
  }

  return (
    <Menu withinPortal>
      <Menu.Target>
        <Button size="xs" variant="default">
          {t("jobs.sendTo")}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          onClick={() => {
            take();
            go("/generate/txt2img");
          }}
        >
          {t("tab.txt2img")}
        </Menu.Item>
        {TARGETS.map((tab) => (
          <Menu.Item key={tab} onClick={() => void send(tab)}>
            {t(`tab.${tab}`)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
