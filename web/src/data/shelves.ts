// What the form and the filters choose from: models, datasets, and what is left of the quota.
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import type { Dataset, DatasetPage, Model, ModelPage, Usage } from "../schema";
import { get, type Query } from "./api";
import { caller } from "./session";

export const models = signal<Model[]>([]);
export const datasets = signal<Dataset[]>([]);
/** Whether the datasets have been asked for, and are all here that can be had. */
export const arrived = signal(false);
export const usage = signal<Usage | null>(null);

export const fallback = computed(() => models.value.find((one) => one.default) ?? models.value[0]);

export const modelNamed = (name: string | null): Model | undefined =>
  name ? models.value.find((one) => one.name === name) : fallback.value;

export const datasetOf = (id: string | null): Dataset | undefined => datasets.value.find((one) => one.id === id);

/** Loads all of it whenever the caller changes. What cannot be had is missing from the form, and no more. */
export function follow(): void {
  effect(() => {
    void caller.value;
    untracked(() => {
      batch(() => {
        datasets.value = [];
        arrived.value = false;
        usage.value = null;
      });
      void loadModels();
      void loadDatasets();
      void loadUsage();
    });
  });
}

async function loadModels(): Promise<void> {
  models.value = (await get<ModelPage>("/ai/models").catch(() => null))?.models ?? [];
}

export async function loadUsage(): Promise<void> {
  const who = caller.value;
  const next = await get<Usage>("/ai/usage").catch(() => null);
  if (caller.value === who) usage.value = next;
}

/** The caller's own and everybody's public ones, each once. */
export async function loadDatasets(): Promise<void> {
  const who = caller.value;
  const shelves = await Promise.all(["private", "public"].map(everyPage));
  const unique = new Map(shelves.flat().map((one) => [one.id, one]));
  if (caller.value !== who) return;
  batch(() => {
    datasets.value = [...unique.values()].sort((a, b) => a.name.localeCompare(b.name));
    arrived.value = true;
  });
}

async function everyPage(visibility: string): Promise<Dataset[]> {
  const found: Dataset[] = [];
  let cursor: string | null = null;
  do {
    const query: Query = { visibility: visibility === "public" ? "public" : null, limit: 200, cursor };
    const page: DatasetPage | null = await get<DatasetPage>("/ai/datasets", query).catch(() => null);
    found.push(...(page?.datasets ?? []));
    cursor = page?.next_cursor ?? null;
  } while (cursor && found.length < 1000);
  return found;
}
