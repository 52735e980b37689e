/** A prompt with WebUI's keys for weights, and with names of networks and embeddings to choose from while typing. */
import { Combobox, Textarea, useCombobox } from "@mantine/core";
import { type KeyboardEvent, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { type Completion, complete } from "../params/completion";
import { boundsOf } from "../params/fields";
import { neighbour, usePromptHistory } from "../params/promptHistory";
import type { Tab } from "../params/store";
import { changeWeight } from "../params/weights";
import { type FieldName, useField } from "./fields";
import { PromptNotes } from "./PromptNotes";
import { fits, stem, useFamily, useModels } from "./queries";

interface Props {
  tab: Tab;
  name: FieldName;
  rows?: number;
}

export function PromptField({ tab, name, rows = 2 }: Props) {
  const { t } = useTranslation();
  const [value, set] = useField(tab, name);
  const text = typeof value === "string" ? value : "";
  const area = useRef<HTMLTextAreaElement>(null);
  const selection = useRef<[number, number] | null>(null);
  const names = useNames();
  const [completion, setCompletion] = useState<Completion | null>(null);
  const list = useCombobox({ onDropdownClose: () => list.resetSelectedOption() });

  // React puts the caret at the end of a text that it did not see typed.
  useLayoutEffect(() => {
    if (selection.current) area.current?.setSelectionRange(...selection.current);
    selection.current = null;
  }, [text]);

  const close = () => {
    setCompletion(null);
    list.closeDropdown();
  };
  const change = (next: string, from: number, to: number) => {
    selection.current = [from, to];
    set(next);
  };
  const typed = (next: string, caret: number) => {
    set(next);
    const found = complete(next, caret, names);
    setCompletion(found);
    if (found) list.openDropdown();
    else list.closeDropdown();
    list.resetSelectedOption();
  };
  const take = (option: string) => {
    if (!completion) return;
    const end = completion.from + option.length;
    change(text.slice(0, completion.from) + option + text.slice(completion.to), end, end);
    close();
  };
  const recall = (earlier: boolean) => {
    const other = neighbour(usePromptHistory.getState().prompts, text, earlier);
    if (other !== null) change(other, other.length, other.length);
    close();
  };
  const keyed = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    const up = event.key === "ArrowUp";
    if (!(event.ctrlKey || event.metaKey || event.altKey) || !(up || event.key === "ArrowDown")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.altKey) return recall(up);
    const { selectionStart, selectionEnd } = event.currentTarget;
    const edit = changeWeight({ text, from: selectionStart, to: selectionEnd }, up);
    if (edit) change(edit.text, edit.from, edit.to);
    close();
  };

  return (
    <div>
    <Combobox store={list} onOptionSubmit={take} position="bottom-start" width="max-content" withinPortal>
      <Combobox.Target withKeyboardNavigation={completion !== null} withAriaAttributes={completion !== null} autoComplete="off">
        <Textarea
          ref={area}
          label={t(`field.${name}`)}
          value={text}
          onChange={(event) => typed(event.currentTarget.value, event.currentTarget.selectionStart)}
          onKeyDownCapture={keyed}
          onClick={close}
          onBlur={close}
          maxLength={boundsOf(tab, name).maxLength}
          minRows={rows}
          autosize
          maxRows={12}
          aria-keyshortcuts="Control+ArrowUp Control+ArrowDown Alt+ArrowUp Alt+ArrowDown"
        />
      </Combobox.Target>
      <Combobox.Dropdown hidden={completion === null}>
        <Combobox.Options aria-label={t("generate.completions")} mah={260} style={{ overflowY: "auto" }}>
          {completion?.options.map((option) => (
            <Combobox.Option key={option} value={option}>
              {option}
            </Combobox.Option>
          ))}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
    <PromptNotes tab={tab} text={text} negative={name.endsWith("negative_prompt")} />
    </div>
  );
}

function useNames() {
  const loras = useModels("lora").data ?? [];
  const hypernetworks = useModels("hypernetwork").data ?? [];
  const embeddings = useModels("embedding").data ?? [];
  const family = useFamily();
  const stems = (assets: typeof loras) => assets.filter((asset) => fits(asset, family)).map((asset) => stem(asset.name));
  return { loras: stems(loras), hypernetworks: stems(hypernetworks), embeddings: stems(embeddings) };
}
