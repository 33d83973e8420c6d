// How long something has been under way.
import { useEffect, useState } from "preact/hooks";

export function Elapsed({ since }: { since: string }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000));
  return <b class="elapsed">Generating… {seconds > 1 && `${seconds} s`}</b>;
}
