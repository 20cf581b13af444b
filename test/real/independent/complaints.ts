// Errors and warnings in programs' logs, with what no two runs share made equal: times, identities, addresses, drawn names.

/** How often a program complained of what. */
export type Complaints = ReadonlyMap<string, number>

/** Lines of klog, of zap on a console and as JSON, of logrus as JSON and as text, and of Go where a program breaks. */
const complaint = new RegExp(
  [
    /^[EWF]\d{4} \d\d:\d\d:\d\d/,
    /^\S+\s+(ERROR|WARN|DPANIC|PANIC|FATAL)\b/,
    /"level":"(error|warn|warning|fatal|panic|dpanic)"/,
    /\blevel=(error|warning|fatal|panic)\b/,
    /^(panic:|fatal error:|runtime error:|WARNING: DATA RACE)/,
  ]
    .map(({ source }) => source)
    .join('|'),
)

const longestLine = 600

const replacements: readonly (readonly [RegExp, string])[] = [
  // The head of a line: when, by which thread, at which line of its source.
  [/^([EWF])\d{4} [\d:.]+ +\d+ (\S+?):\d+\]/, '$1 $2]'],
  [
    /"?(\b(?:time|ts|time_ms|level_ms|grpc\.start_time|grpc\.time_ms|dedup_ms|git_ms|setop_ms|[a-z_]+_ms)"?[:=])("[^"]*"|[\d.e+-]+)/g,
    '$1TIME',
  ],
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d| [+-]\d{4} \w+)?/g, 'TIME'],
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID'],
  [/\b(?:127\.0\.0\.1|localhost|\[::1?\]|10\.\d+\.\d+\.\d+)(?::\d+)?/g, 'ADDRESS'],
  [/\b[0-9a-f]{32,64}\b/g, 'HASH'],
  [/\b0x[0-9a-f]+\b/g, 'HASH'],
  [/(?<=[a-z\d]-)[bcdfghjklmnpqrstvwxz2456789]{5,10}\b/g, 'HASH'],
  [/\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?:ns|µs|ms|s|m|h)(?:\d+(?:\.\d+)?(?:ms|s|m))*\b/g, 'DURATION'],
  [/\/tmp\/[\w./-]+/g, 'FILE'],
  [/\b(resourceVersion|resource version|revision|rv|stream ID|streamID|port|goroutine)(["':=\s]*)\d+/gi, '$1$2N'],
]

/** A line of a log as it counts. */
export function generalLine(line: string): string {
  let text = line.trim()
  for (const [what, by] of replacements)
    text = text.replaceAll(new RegExp(what, what.flags.includes('g') ? what.flags : `${what.flags}g`), by)
  return text.replaceAll(/\d{3,}/g, 'N').slice(0, longestLine)
}

export function complaintsOf(logs: readonly { readonly name: string; readonly text: string }[]): Complaints {
  const counts = new Map<string, number>()
  for (const { name, text } of logs)
    for (const line of text.split('\n')) {
      if (!complaint.test(line)) continue
      const key = `${name}: ${generalLine(line)}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
  return counts
}

export interface FurtherComplaint {
  readonly line: string
  readonly real: number
  readonly twin: number
}

/** So many times more than on the real server, and so many on top, are chance. */
const timesMore = 3
const more = 10

/** What the twin alone gave reason for, or far more often. */
export function furtherComplaints(
  real: Complaints,
  twin: Complaints,
  isChance: (line: string) => boolean,
): readonly FurtherComplaint[] {
  return [...twin].flatMap(([line, count]) => {
    const before = real.get(line) ?? 0
    const most = before > 0 || isChance(line) ? before * timesMore + more : 0
    return count > most ? [{ line, real: before, twin: count }] : []
  })
}
