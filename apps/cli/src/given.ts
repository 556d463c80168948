/** An environment variable that is empty counts as one that is not set. */
export const given = (text: string | undefined): string | undefined => (text === "" ? undefined : text);
