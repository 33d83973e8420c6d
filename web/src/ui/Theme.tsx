import { Moon, Sun } from "lucide-preact";
import { useState } from "preact/hooks";

const dark = (): boolean => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

export function Theme() {
  const [isDark, setDark] = useState(dark);
  const toggle = () => {
    const next = isDark ? "light" : "dark";
    localStorage.setItem("theme", next);
    document.documentElement.dataset.theme = next;
    setDark(!isDark);
    dispatchEvent(new Event("theme"));
  };
  const label = isDark ? "Use the light theme" : "Use the dark theme";
  return (
    <button type="button" class="icon" aria-label={label} title={label} onClick={toggle}>
      {isDark ? <Sun size={18} /> : <Moon size={18} />}
    </button>
  );
}
