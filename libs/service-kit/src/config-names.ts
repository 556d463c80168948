/** How a key is called in each source: `leaseMs`, `--lease-ms`, `GRECO_LEASE_MS`. */
export const ENV_PREFIX = "GRECO_";
export const CONFIG_FLAG = "--config";

/** `leaseMs` → `--lease-ms` */
export function flagOf(key: string): string {
  return `--${words(key).join("-")}`;
}

/** `leaseMs` → `GRECO_LEASE_MS` */
export function envOf(key: string, prefix: string): string {
  return prefix + words(key).join("_").toUpperCase();
}

function words(key: string): string[] {
  return key.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
}
