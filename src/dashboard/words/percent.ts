// Shares as people read them: in whole percent as kubectl prints them, near a goal with the decimals that tell met from unmet, in points.

/** What stands where nothing is known. */
export const unknownText = '–'

/**
 * `part` of `whole` in percent, truncated toward zero after the floating-point division that kubectl makes (`kubectl describe node`, `kubectl
 * top node`; 0.36): 7425 of 7950 is `93%`. `–` where either is unknown or nothing is allocatable.
 */
export function percentText(part: number | null, whole: number | null): string {
  const share = percentOf(part, whole)
  return share === null ? unknownText : `${share}%`
}

/** The number of `percentText`; null where it prints `–`. */
function percentOf(part: number | null, whole: number | null): number | null {
  if (part === null || whole === null || !(whole > 0) || !Number.isFinite(part)) return null
  return Math.trunc((part / whole) * 100) + 0
}

/** `part` of `whole` in percent, exactly as a float can say it; null where it is not known. What goals are told by. */
export function exactPercent(part: number | null, whole: number | null): number | null {
  if (part === null || whole === null || !(whole > 0) || !Number.isFinite(part)) return null
  return (part * 100) / whole
}

interface Bounds {
  readonly min: number | null
  readonly max: number | null
  readonly met: boolean
}

/**
 * `percent` beside its goal: truncated to a whole number, but with one decimal where that would look met and is not, and two where one
 * does not show it. 70.34 with max 70 is `70.3%`, 29.94 with min 30 is `29%`.
 */
export function nearGoal(percent: number | null, { min, max, met }: Bounds): string {
  if (percent === null || !Number.isFinite(percent)) return unknownText
  const looksMet = (shown: number) => (max === null || shown <= max) && (min === null || shown >= min)
  const decimals = met ? 0 : ([0, 1].find(count => !looksMet(truncatedTo(percent, count))) ?? 2)
  return `${truncatedTo(percent, decimals).toFixed(decimals)}%`
}

/** Percentage points with one decimal, half away from zero: 23.396 is `23.4`. */
export function points(amount: number): string {
  return roundedTo(amount, 1).toFixed(1)
}

/** A share with so many decimals, truncated: 60 of 15950 with two is `0.37%`. */
export function fineShare(part: number | null, whole: number | null, decimals: number): string {
  const share = exactPercent(part, whole)
  return share === null ? unknownText : `${truncatedTo(share, decimals).toFixed(decimals)}%`
}

/** `59 of 124 pods (47.6%)`: the share of a whole in one decimal, half away from zero. */
export function shareOfWhole(part: number, whole: number, noun: string): string {
  const share = exactPercent(part, whole)
  return `${part} of ${whole} ${noun} (${share === null ? unknownText : `${points(share)}%`})`
}

function truncatedTo(amount: number, decimals: number): number {
  const factor = 10 ** decimals
  return Math.trunc(unstumbled(amount * factor)) / factor + 0
}

function roundedTo(amount: number, decimals: number): number {
  const factor = 10 ** decimals
  return (Math.sign(amount) * Math.round(Math.abs(unstumbled(amount * factor)))) / factor + 0
}

/** Without the error of a float's last digits: 70.05 - 70 is meant to be 0.05. */
function unstumbled(amount: number): number {
  return Number(amount.toPrecision(12))
}
