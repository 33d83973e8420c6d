// What is left of today's images; nothing where there is no limit.
import { count, moment } from "../data/format";
import { usage } from "../data/shelves";

const AROUND = 2 * Math.PI * 8;

export function Meter() {
  const day = usage.value?.daily_images;
  if (!day) return null;
  const part = day.limit ? Math.min(1, day.used / day.limit) : 1;
  const words = `${count(day.left)} of ${count(day.limit)} images left until ${moment(day.resets_at)}`;
  return (
    <div class={part >= 0.9 ? "meter low" : "meter"} role="img" aria-label={words} title={words}>
      <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
        <circle cx="10" cy="10" r="8" class="track" />
        <circle
          cx="10"
          cy="10"
          r="8"
          class="used"
          stroke-dasharray={`${(1 - part) * AROUND} ${AROUND}`}
          transform="rotate(-90 10 10)"
        />
      </svg>
      <span aria-hidden="true">{count(day.left)} left</span>
    </div>
  );
}
