// The gallery: make images, and look at what was made.
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { words } from "./data/api";
import { address } from "./data/address";
import { follow as followDraft } from "./data/draft";
import { follow as followImages } from "./data/images";
import { follow as followCaller } from "./data/leaving";
import { follow as followPending } from "./data/pending";
import { follow as followSelection } from "./data/selection";
import { follow as followSession } from "./data/session";
import { follow as followShelves } from "./data/shelves";
import { tell } from "./data/toasts";
import { Composer } from "./gallery/Composer";
import { Filters } from "./gallery/Filters";
import { Grid } from "./gallery/Grid";
import { Help } from "./gallery/Help";
import { everywhere } from "./gallery/keys";
import { Search } from "./gallery/Search";
import { Selection } from "./gallery/Selection";
import { Datasets } from "./gallery/Datasets";
import { Viewer } from "./gallery/Viewer";
import { Header } from "./ui/Header";
import { Toasts } from "./ui/Toasts";

function Gallery() {
  const { image, panel } = address.value;
  useEffect(() => {
    addEventListener("keydown", everywhere);
    return () => removeEventListener("keydown", everywhere);
  }, []);
  return (
    <>
      <a class="skip" href="#images">To the images</a>
      <Header here="gallery">
        <Search />
      </Header>
      <main>
        <h1 class="hidden">Gallery</h1>
        <Composer />
        <Filters />
        <div id="images" tabIndex={-1}>
          <Grid />
        </div>
        <Selection />
      </main>
      {image && <Viewer />}
      {panel === "datasets" && <Datasets />}
      {panel === "keys" && <Help />}
      <Toasts />
    </>
  );
}

/** Takes what the issuer sent, if the user comes from there; false in a window that was opened only for that. */
async function arrive(): Promise<boolean> {
  const given = new URLSearchParams(location.search);
  if (!given.has("state") || !(given.has("code") || given.has("error"))) return true;
  let back = "/";
  try {
    const { completed, handedOver } = await import("./data/oidc");
    if (handedOver(new URL(location.href))) return false;
    back = await completed();
  } catch (error) {
    tell(`You are not signed in. ${words(error)}`, { bad: true });
  }
  if (!back.startsWith("/?") && back !== "/") {
    location.replace(back);
    return false;
  }
  history.replaceState(null, "", back);
  dispatchEvent(new PopStateEvent("popstate"));
  return true;
}

if (await arrive()) {
  followSession();
  followDraft();
  followShelves();
  followImages();
  followPending();
  followSelection();
  followCaller();
  render(<Gallery />, document.body);
}
