export function trackCreate(..._rest: unknown[]): void {}
export function trackUpdate(..._rest: unknown[]): void {}
