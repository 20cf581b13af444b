// Times as RFC 3339 has them, read as Go reads them: its words for a text that is none, and for one that no calendar has.

const layouts = { time: '2006-01-02T15:04:05Z07:00', 'micro-time': '2006-01-02T15:04:05.000000Z07:00' } as const

interface Part {
  readonly pattern: RegExp
  readonly layout: string
  /** What the part is out of range in, and whether this text is. */
  readonly range?: readonly [name: string, isOutside: (text: string) => boolean]
}

const between = (least: number, most: number) => (text: string) => Number(text) < least || Number(text) > most
const literal = (text: string): Part => ({ pattern: new RegExp(`^${text}`), layout: text })

const calendar: readonly Part[] = [
  { pattern: /^\d{4}/, layout: '2006' },
  literal('-'),
  { pattern: /^\d\d/, layout: '01', range: ['month', between(1, 12)] },
  literal('-'),
  { pattern: /^\d\d/, layout: '02' },
  literal('T'),
  { pattern: /^\d\d/, layout: '15', range: ['hour', between(0, 23)] },
  literal(':'),
  { pattern: /^\d\d/, layout: '04', range: ['minute', between(0, 59)] },
  literal(':'),
]
const second: Part['range'] = ['second', text => Number(text.slice(0, 2)) > 59]
const zone: readonly Part[] = [
  {
    pattern: /^(Z|[+-]\d\d:\d\d)/,
    layout: 'Z07:00',
    range: ['time zone offset hour', text => text !== 'Z' && Number(text.slice(1, 3)) > 24],
  },
]
const partsOf: Readonly<Record<keyof typeof layouts, readonly Part[]>> = {
  time: [...calendar, { pattern: /^\d\d([.,]\d+)?/, layout: '05', range: second }, ...zone],
  'micro-time': [
    ...calendar,
    { pattern: /^\d\d/, layout: '05', range: second },
    { pattern: /^[.,]\d{6}/, layout: '.000000' },
    ...zone,
  ],
}

/** Undefined for a time; else why it is none. */
export function timeFault(text: string, kind: keyof typeof layouts): string | undefined {
  const start = `parsing time ${JSON.stringify(text)}`
  let rest = text
  for (const { pattern, layout, range } of partsOf[kind]) {
    const found = pattern.exec(rest)?.[0]
    if (found === undefined)
      return `${start} as ${JSON.stringify(layouts[kind])}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(layout)}`
    if (range?.[1](found) === true) return `${start}: ${range[0]} out of range`
    if (layout === 'Z07:00' && Number(found.slice(4)) > 60) return `${start}: time zone offset minute out of range`
    rest = rest.slice(found.length)
  }
  if (rest !== '') return `${start}: extra text: ${JSON.stringify(rest)}`
  const [year, month, day] = [text.slice(0, 4), text.slice(5, 7), text.slice(8, 10)].map(Number)
  return isDay(year ?? 0, month ?? 0, day ?? 0) ? undefined : `${start}: day out of range`
}

function isDay(year: number, month: number, day: number): boolean {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const days = month === 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31
  return day >= 1 && day <= days
}

/** A time without fault as it is stored: in UTC and whole seconds, or with six digits of one. */
export function storedTime(text: string, kind: keyof typeof layouts): string {
  const fraction = kind === 'time' ? '' : `.${(/[.,](\d+)/.exec(text)?.[1] ?? '').slice(0, 6).padEnd(6, '0')}`
  const seconds = /^(.{19})(?:[.,]\d+)?Z$/.exec(text)?.[1] ?? inUtc(text)
  return `${seconds}${fraction}Z`
}

/** The first 19 characters of a time with an offset, as they are in UTC; years outside of 0 to 9999 as Go prints them. */
function inUtc(text: string): string {
  const [, local = '', sign, hours, minutes] = /^(.{19})(?:[.,]\d+)?([+-])(\d\d):(\d\d)$/.exec(text) ?? []
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === '-' ? -1 : 1)
  const utc = new Date(Date.parse(`${local}Z`) - offsetMs)
  const year = utc.getUTCFullYear()
  const shownYear = `${year < 0 ? '-' : ''}${String(Math.abs(year)).padStart(4, '0')}`
  return `${shownYear}${/-\d\d-\d\dT\d\d:\d\d:\d\d/.exec(utc.toISOString())?.[0] ?? ''}`
}
