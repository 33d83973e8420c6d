// The images that are listed, as a file.
import { Download } from "lucide-preact";
import { useState } from "preact/hooks";
import { address } from "../data/address";
import { call, complain } from "../data/api";
import { asked } from "../data/images";
import { followed } from "../data/jobs";
import { save } from "../data/saving";
import { tell } from "../data/toasts";
import type { Job } from "../schema";
import { Menu } from "../ui/Menu";

const FORMATS = [
  { format: "zip", label: "ZIP", what: "the images, and a CSV" },
  { format: "csv", label: "CSV", what: "for a spreadsheet" },
  { format: "jsonl", label: "JSON lines", what: "for a program" },
];

export function Export() {
  const [busy, setBusy] = useState(false);
  const start = async (format: string) => {
    setBusy(true);
    try {
      const { q: _q, ...filters } = asked(address.value);
      const query = { ...filters, format, bom: format === "csv" ? true : null };
      const { status, body } = await call<Blob>("GET", "/ai/generated-images/export", { query, as: "blob" });
      if (status === 202) await fetched(JSON.parse(await body.text()) as Job);
      else save(body, `generated_images.${format}`);
    } catch (error) {
      complain(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Menu label="Export" kind="chip" button={<><Download size={14} aria-hidden="true" /> {busy ? "Exporting…" : "Export"}</>}>
      {(close) => (
        <ul class="choices-of">
          {FORMATS.map(({ format, label, what }) => (
            <li key={format}>
              <button
                type="button"
                disabled={busy}
                onClick={() => {
                  close();
                  void start(format);
                }}
              >
                <b>{label}</b> <small>{what}</small>
              </button>
            </li>
          ))}
        </ul>
      )}
    </Menu>
  );
}

/** A large export is a job, and ends with the address of its file. */
async function fetched(job: Job): Promise<void> {
  tell("This is a large export. Its file comes when it is ready; you can go on meanwhile.");
  const done = await followed(job);
  const url = done.receipt?.file?.url;
  if (url) save(url, "");
}
