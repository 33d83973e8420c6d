// What this deployment tells its pages, written beside them when they are deployed.
export interface Config {
  issuer: string;
  discovery: string;
  client_id: string;
  audience: string;
}

let asked: Promise<Config> | undefined;

export function fetchConfig(): Promise<Config> {
  asked ??= fetch("/config.json").then((answer) => {
    if (!answer.ok) throw new Error("The configuration of the pages is missing.");
    return answer.json() as Promise<Config>;
  });
  asked.catch(() => (asked = undefined));
  return asked;
}
