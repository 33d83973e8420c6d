// The bar on top of every page.
import type { ComponentChildren } from "preact";
import { BarChart3, Images } from "lucide-preact";
import { Account } from "./Account";
import { Meter } from "./Meter";
import { Theme } from "./Theme";

interface Props {
  here: "gallery" | "dashboard";
  children?: ComponentChildren;
}

export function Header({ here, children }: Props) {
  return (
    <header class="bar">
      <a class="brand" href="/" aria-label="imagetrail">
        <img src="/icon.svg" alt="" width={28} height={28} />
        <span>imagetrail</span>
      </a>
      <nav aria-label="Pages">
        <a href="/" aria-label="Gallery" aria-current={here === "gallery" ? "page" : undefined}>
          <Images size={16} aria-hidden="true" />
          <span>Gallery</span>
        </a>
        <a href="/dashboard.html" aria-label="Dashboard" aria-current={here === "dashboard" ? "page" : undefined}>
          <BarChart3 size={16} aria-hidden="true" />
          <span>Dashboard</span>
        </a>
      </nav>
      <div class="middle">{children}</div>
      <div class="tools">
        <Meter />
        <Theme />
        <Account />
      </div>
    </header>
  );
}
