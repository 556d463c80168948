/** One line of `greco doctor`. */
export type Diagnosis = {
  readonly what: string;
  readonly state: "ok" | "bad" | "note";
  readonly detail: string;
};
