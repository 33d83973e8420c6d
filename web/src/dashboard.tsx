// The dashboard: what was made, with what, for how much, and what works.
import { render } from "preact";
import { follow } from "./data/shelves";
import { Header } from "./ui/Header";
import { Toasts } from "./ui/Toasts";

function Dashboard() {
  return (
    <>
      <Header here="dashboard" />
      <main>
        <h1>Dashboard</h1>
      </main>
      <Toasts />
    </>
  );
}

follow();
render(<Dashboard />, document.body);
