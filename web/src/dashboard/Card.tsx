import { Download } from "lucide-preact";
import type { ComponentChildren } from "preact";
import type { Report } from "../schema";
import { download, recordsOf, type Held, type Name, type Params } from "./reports";

interface Props {
  title: string;
  name: Name;
  query: Params;
  held: Held;
  wide?: boolean;
  note?: string;
  children: (report: Report) => ComponentChildren;
}

/** A report with its title, its records and its CSV. */
export function Card({ title, name, query, held, wide, note, children }: Props) {
  const { report, fault } = held;
  const records = recordsOf();
  return (
    <section class={wide ? "card wide" : "card"} aria-label={title} aria-busy={!report && !fault}>
      <header>
        <h2>{title}</h2>
        {records && <a class="link" href={records}>Records</a>}
        <button
          type="button"
          class="icon small"
          aria-label={`${title} as CSV`}
          title="Download as CSV"
          onClick={() => void download(name, query)}
        >
          <Download size={15} />
        </button>
      </header>
      {fault && <p class="fault" role="alert">{fault}</p>}
      {report && (report.total.records ? children(report) : <p class="note">Nothing in these days.</p>)}
      {note && report && report.total.records > 0 && <p class="note">{note}</p>}
    </section>
  );
}
