// Quantities as they are stored: the text upstream would write, remembered, because clusters say the same few over and over.
import { canonicalText, formatQuantity, parseQuantity } from '#kube/values/quantity.ts'

type StoredQuantity = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly why: string }

/** Upstream's words for text that is no quantity. */
const noQuantity = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

const nanosPerMilli = 1_000_000n
const mostRemembered = 4_096
const remembered = { exact: new Map<string, StoredQuantity>(), rounded: new Map<string, StoredQuantity>() }

/** The stored form of `text`; resource lists are rounded up to thousandths. */
export function storedQuantity(text: string, isRounded: boolean): StoredQuantity {
  const known = isRounded ? remembered.rounded : remembered.exact
  let stored = known.get(text)
  if (stored === undefined) {
    stored = settledQuantity(text, isRounded)
    if (known.size >= mostRemembered) known.clear()
    known.set(text, stored)
  }
  return stored
}

function settledQuantity(text: string, isRounded: boolean): StoredQuantity {
  const parsed = parseQuantity(text)
  if (!parsed.ok) return { ok: false, why: parsed.problem.message ?? noQuantity }
  const { nanos, format } = parsed.value
  const rest = nanos % nanosPerMilli
  if (!isRounded || rest === 0n) return { ok: true, text: withoutTooMuch(formatQuantity(parsed.value)) }
  const up = nanos - rest + (nanos < 0n ? -nanosPerMilli : nanosPerMilli)
  return { ok: true, text: withoutTooMuch(canonicalText({ nanos: up, format })) }
}

/** Beyond `E` upstream has no suffix and writes none: what was 1000E is stored as 1 there (recorded), and so it is here. */
function withoutTooMuch(text: string): string {
  return /000E$/.test(text) ? text.replace(/(000)+E$/, '') : text
}
