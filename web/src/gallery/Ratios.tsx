import { draft, type Draft } from "../data/draft";
import { ratio } from "../data/format";
import { change } from "../data/making";
import { Menu } from "../ui/Menu";
import { changed } from "./Composer";

const RATIOS = ["1:1", "4:5", "3:4", "2:3", "9:16", "9:21", "5:4", "4:3", "3:2", "16:9", "21:9"] as const;

/** The choice of a ratio, as shapes; what the model lacks is dimmed. */
export function Ratios({ takes }: { takes: readonly string[] }) {
  const now = draft.value.aspect_ratio;
  const button = (
    <>
      <Shape of={now} /> {now}
    </>
  );
  return (
    <Menu label={`Aspect ratio: ${now}`} kind={changed("aspect_ratio") ? "chip changed" : "chip"} button={button}>
      {(close) => (
        <div class="ratios" role="group" aria-label="Aspect ratio">
          {RATIOS.map((one: Draft["aspect_ratio"]) => (
            <button
              key={one}
              type="button"
              class={takes.includes(one) ? "" : "lacking"}
              title={takes.includes(one) ? one : `${one}: the model uses the nearest it has`}
              aria-pressed={one === now}
              onClick={() => {
                change({ aspect_ratio: one });
                close();
              }}
            >
              <Shape of={one} large />
              {one}
            </button>
          ))}
        </div>
      )}
    </Menu>
  );
}

function Shape({ of, large = false }: { of: string; large?: boolean }) {
  const [side, shape] = [large ? 28 : 14, ratio(of)];
  const [width, height] = shape > 1 ? [side, side / shape] : [side * shape, side];
  return (
    <svg width={side} height={side} viewBox={`0 0 ${side} ${side}`} aria-hidden="true" class="shape">
      <rect
        x={(side - width) / 2 + 0.75}
        y={(side - height) / 2 + 0.75}
        width={Math.max(2, width - 1.5)}
        height={Math.max(2, height - 1.5)}
        rx="2"
      />
    </svg>
  );
}
