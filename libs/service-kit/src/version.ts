/** Of the whole project, as in the root's package.json. */
export const VERSION = "0.0.0";
