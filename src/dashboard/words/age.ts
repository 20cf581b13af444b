// Ages and durations as kubectl's columns have them: two units at most, the fewer the longer. The same as `humanDuration` of #kube, which
// the page can't import; a property test compares them.

/** How long something lasted or is ago: `119s`, `4m5s`, `95m`, `3h5m`, `30h`, `2d5h`, `400d`. What clocks put ahead of now is `0s`. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.trunc(ms / 1_000))
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.trunc(seconds / 60)
  if (minutes < 10) return twoUnits(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.trunc(minutes / 60)
  if (hours < 8) return twoUnits(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.trunc(hours / 24)
  if (days < 8) return twoUnits(days, 'd', hours % 24, 'h')
  const years = Math.trunc(days / 365)
  if (years < 2) return `${days}d`
  return years < 8 ? twoUnits(years, 'y', days % 365, 'd') : `${years}y`
}

/** How long until something is: `in 14m`; what is due is `now`. */
export function until(ms: number): string {
  return ms < 1_000 ? 'now' : `in ${age(ms)}`
}

/** How long something is ago: `8s ago`. */
export function ago(ms: number): string {
  return `${age(ms)} ago`
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`
}
