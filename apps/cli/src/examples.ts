/** What the help of each verb ends with: lines that can be typed as they stand, once the names are one's own. */
import type { Command } from "commander";

/** By path: `draft apply`; empty: the program. */
export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  "": [
    "greco dev",
    "greco model create airline --wait",
    "greco draft apply late -f entities/ --model airline",
    "greco plan late --model airline",
    "greco make-it-so late --wait --model airline",
  ],
  dev: ["greco dev --port-base 0"],
  model: ["greco model create airline --wait", "greco model describe airline"],
  "model create": ['greco model create airline --title "An airline" --wait'],
  "model list": ["greco model list -o jsonl"],
  "model describe": ["greco model describe airline"],
  "model set": ["greco model set airline --approval yes"],
  kind: ["greco kind list", "greco kind get query -o yaml"],
  "kind create": ["greco kind create flag -f flag.yaml"],
  "kind update": ["greco kind get flag -o yaml | greco kind update flag -f -"],
  "kind get": ["greco kind get query -o yaml"],
  "kind list": ["greco kind list"],
  role: ["greco role set eve editor", "greco role list"],
  "role set": ["greco role set eve editor"],
  "role remove": ["greco role remove eve"],
  "role list": ["greco role list"],
  get: ["greco get query/late-flights", "greco get query/late-flights --version 3"],
  list: ["greco list query --draft late"],
  describe: ["greco describe stream/flights"],
  export: ["greco export -d entities/", "greco export --version 3"],
  validate: ["greco validate -f entities/"],
  draft: ["greco draft apply late -f entities/", "greco draft diff late"],
  "draft create": ['greco draft create late --title "half an hour is late"'],
  "draft edit": ["greco draft edit late query/late-flights", "greco draft edit late table/fees --delete"],
  "draft apply": ["greco draft apply late -f entities/ --prune"],
  "draft diff": ["greco draft diff late"],
  "draft validate": ["greco draft validate late"],
  "draft rebase": ["greco draft rebase late", "greco draft rebase late --ours query/late-flights:where"],
  "draft approve": ["greco draft approve late"],
  "draft discard": ["greco draft discard late"],
  "draft get": ["greco draft get late"],
  "draft list": ["greco draft list"],
  plan: ["greco plan late"],
  "make-it-so": [
    'greco make-it-so late --wait --reason "half an hour is late"',
    "greco make-it-so late --confirm-within 10m",
  ],
  rollback: ['greco rollback 3 --wait --reason "too many alarms"'],
  confirm: ["greco confirm 01k82to93u04d28fuv83s0sdg3"],
  proposal: ["greco proposal list", "greco proposal watch 01k82to93u04d28fuv83s0sdg3"],
  "proposal get": ["greco proposal get 01k82to93u04d28fuv83s0sdg3"],
  "proposal list": ["greco proposal list --limit 5"],
  "proposal watch": ["greco proposal watch 01k82to93u04d28fuv83s0sdg3"],
  "proposal withdraw": ['greco proposal withdraw 01k82to93u04d28fuv83s0sdg3 --reason "not today"'],
  history: ["greco history --limit 5"],
  audit: ["greco audit --limit 20 -o jsonl"],
  stream: ["greco stream publish flights -f flights.jsonl", "greco stream subscribe late --from beginning"],
  "stream publish": [
    "greco stream publish flights -f flights.jsonl --rate 100",
    `echo '{"flight": "GR 12", "minutes": 45}' | greco stream publish flights`,
  ],
  "stream subscribe": [
    "greco stream subscribe late --from beginning --bounded",
    "greco stream subscribe late --from epoch:3 --limit 10",
  ],
  "stream dead-letter": ['greco stream dead-letter late-flights LANE 17 --reason "no such airport"'],
  status: ["greco status flights", "greco status --all"],
  conductor: ["greco conductor list"],
  "conductor list": ["greco conductor list"],
  "conductor deregister": ['greco conductor deregister routes --reason "the team has left"'],
  drift: ["greco drift", "greco drift --conductor lambda -o json"],
  repair: ['greco repair --reason "somebody edited it in the console"'],
  explain: ["greco explain STALE_ETAG", "greco explain query"],
  doctor: ["greco doctor", "greco doctor aws --model airline"],
  completion: ["source <(greco completion bash)"],
  version: ["greco version"],
};

export function addExamples(command: Command, path = ""): void {
  const lines = EXAMPLES[path] ?? [];
  if (lines.length > 0)
    command.addHelpText("after", `\nExample${lines.length > 1 ? "s" : ""}:\n  ${lines.join("\n  ")}`);
  for (const each of command.commands) addExamples(each, `${path} ${each.name()}`.trim());
}
