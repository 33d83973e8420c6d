// The pictures, of which only those near the window are in the document, however many there are.
import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { address } from "../data/address";
import { failure, images, more, phase } from "../data/images";
import { Nothing } from "./Nothing";
import { beside, justified, visible } from "./layout";
import { handle } from "./keys";
import { current, selecting } from "../data/selection";
import { Tile } from "./Tile";

const AHEAD = 800; // pixels that are drawn above and below the window
const EARLY = 2500; // pixels before the end at which the next page is asked for

/** A tile that was scrolled to is drawn a frame or two later. */
function focusTile(id: string, frames: number): void {
  const tile = document.getElementById(`tile-${id}`);
  if (tile) tile.focus({ preventScroll: true });
  else if (frames) requestAnimationFrame(() => focusTile(id, frames - 1));
}

export function Grid() {
  const root = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  const range = useSignal<[number, number]>([0, 0]);
  const list = images.value;
  const phone = width.value < 640;
  const titled = !address.value.q || address.value.sort === "time";
  const layout = useMemo(
    () => (width.value ? justified(list, width.value, phone ? 150 : 230, phone ? 4 : 8, titled) : { rows: [], height: 0 }),
    [list, width.value, titled],
  );

  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => (width.value = Math.floor(entry!.contentRect.width)));
    observer.observe(root.current!);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    let asked = 0;
    const look = () => {
      asked = 0;
      const top = -root.current!.getBoundingClientRect().top;
      const next = visible(layout.rows, top - AHEAD, top + innerHeight + AHEAD);
      const [first, end] = range.value;
      if (next[0] !== first || next[1] !== end) range.value = next;
      if (phase.value === "more" && layout.height - top - innerHeight < EARLY) void more();
    };
    const ask = () => (asked ||= requestAnimationFrame(look));
    look();
    addEventListener("scroll", ask, { passive: true });
    addEventListener("resize", ask);
    const done = phase.subscribe((now) => now === "more" && ask());
    return () => {
      cancelAnimationFrame(asked);
      removeEventListener("scroll", ask);
      removeEventListener("resize", ask);
      done();
    };
  }, [layout]);

  // A picture that the keyboard went to is drawn, scrolled to and focused.
  useEffect(
    () =>
      current.subscribe((id) => {
        const index = id === null || address.value.image ? -1 : images.value.findIndex((one) => one.id === id);
        const row = layout.rows.find((one) => one.boxes.some((box) => box.index === index));
        if (!row) return;
        const top = root.current!.getBoundingClientRect().top + row.top;
        if (top < 140) scrollBy(0, top - 140);
        else if (top + row.height > innerHeight - 40) scrollBy(0, top + row.height - innerHeight + 40);
        focusTile(id!, 10);
      }),
    [layout],
  );

  const [first, end] = range.value;
  const shown = layout.rows.slice(first, end);
  const start = useComputed(() => current.value ?? images.value[0]?.id ?? null);
  const move = (event: KeyboardEvent) =>
    handle(event, (index, step) => beside(layout.rows, index, step));

  return (
    <section class={selecting.value ? "selecting" : ""} aria-label="Images" aria-busy={phase.value === "loading"}>
      <div ref={root} class="grid" style={{ height: `${layout.height}px` }}>
        {shown
          .filter((row) => row.title)
          .map((row) => (
            <h2 key={row.title} class="month" style={{ transform: `translateY(${row.top}px)` }}>
              {row.title}
            </h2>
          ))}
        <ul onKeyDown={move}>
          {shown.flatMap((row) =>
            row.boxes.map((box) => {
              const image = list[box.index];
              return image && (
                <Tile
                  key={image.id}
                  image={image}
                  position={box.index + 1}
                  of={phase.value === "end" ? list.length : -1}
                  top={row.top}
                  left={box.left}
                  width={box.width}
                  height={row.height}
                  inTabOrder={start.value === image.id}
                />
              );
            }),
          )}
        </ul>
      </div>
      {phase.value === "loading" && <p class="tail" role="status">Loading…</p>}
      {phase.value === "failed" && (
        <div class="tail">
          <p role="alert">{failure.value}</p>
          <button type="button" class="button" onClick={() => void more()}>Try again</button>
        </div>
      )}
      {phase.value === "end" && !list.length && <Nothing />}
    </section>
  );
}
