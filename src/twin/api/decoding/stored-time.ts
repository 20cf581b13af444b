// Times as RFC 3339 has them, and Go's words for a text that is none.

const layouts = { time: '2006-01-02T15:04:05Z07:00', 'micro-time': '2006-01-02T15:04:05.000000Z07:00' } as const

const parts: readonly (readonly [pattern: RegExp, layout: string])[] = [
  [/^\d{4}/, '2006'],
  [/^-/, '-'],
  [/^(0[1-9]|1[0-2])/, '01'],
  [/^-/, '-'],
  [/^(0[1-9]|[12]\d|3[01])/, '02'],
  [/^T/, 'T'],
  [/^([01]\d|2[0-3])/, '15'],
  [/^:/, ':'],
  [/^[0-5]\d/, '04'],
  [/^:/, ':'],
  [/^[0-5]\d(\.\d+)?/, '05'],
  [/^(Z|[+-]\d\d:\d\d)/, 'Z07:00'],
]

const whole = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/

/** Undefined for a time; else why it is none. */
export function timeFault(text: string, kind: keyof typeof layouts): string | undefined {
  if (whole.test(text)) return undefined
  const start = `parsing time ${JSON.stringify(text)}`
  let rest = text
  for (const [pattern, layout] of parts) {
    const found = pattern.exec(rest)?.[0]
    if (found === undefined)
      return `${start} as ${JSON.stringify(layouts[kind])}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(layout)}`
    rest = rest.slice(found.length)
  }
  return `${start}: extra text: ${JSON.stringify(rest)}`
}

/** A time as it is stored: in UTC and whole seconds, or with six digits of one. */
export function storedTime(text: string, kind: keyof typeof layouts): string {
  const fraction = kind === 'time' ? '' : `.${(/\.(\d+)/.exec(text)?.[1] ?? '').slice(0, 6).padEnd(6, '0')}`
  const seconds = /^(.{19})(?:\.\d+)?Z$/.exec(text)?.[1] ?? new Date(text).toISOString().slice(0, 19)
  return `${seconds}${fraction}Z`
}
