// What was seen of kubelets: as lines for a person, and as data.
import { formatTime } from '#kube/time/time.ts'
import { untilWords } from '../handover.ts'
import { forgetLine, judgePin, type PinVerdict, pinAt, pinsName } from '../pins/pin-rules.ts'
import type { KubeletFacts } from './kubelet-facts.ts'
import { isReached, type JudgedRow, type KubeletJudgement, verifies } from './kubelet-judgement.ts'

/** Lines without what a terminal would obey: the names are anybody's. */
export function kubeletLines(facts: KubeletFacts, judgement: KubeletJudgement): readonly string[] {
  const { rows, pending, shared, order, cures } = judgement
  const from = facts.orderFrom === 'configuration' ? '' : ', by default'
  return [
    `Kubelets, asked by each type of address (order in force${from}: ${facts.order.join(', ')})`,
    ...table(rows),
    ...facts.nodes.filter(node => !rows.some(row => row.node === node)).map(node => `  ${node}: it says no address`),
    ...(facts.nodes.length === 0 ? ['  no node is known'] : []),
    ...facts.notes.map(note => `  note: ${note}`),
    '',
    orderLine(facts, judgement, order),
    servedLine(facts),
    ...pinLines(facts),
    ...pending.map(
      ({ name, node, by, sinceMs }) =>
        `Waits for approval: ${name} of ${node === undefined ? `${by}, no kubelet of a node that is there` : node}, since ${formatTime(sinceMs)}`,
    ),
    ...shared.map(({ address, nodes }) => `One address, ${address}, is said by ${nodes.join(', ')}`),
    ...cures.flatMap(({ what, lines }, index) => ['', `${index + 1}. ${what}`, ...lines.map(line => `     ${line}`)]),
  ].map(line => line.replace(/\p{Cc}/gu, ' '))
}

function table(rows: readonly JudgedRow[]): readonly string[] {
  if (rows.length === 0) return []
  const cells = [
    ['NODE', 'TYPE', 'ADDRESS', '', 'WHY'],
    ...rows.map(row => [row.node, row.type, `${row.address}:${row.port}`, verdict(row), row.told]),
  ]
  const widths = [0, 1, 2, 3].map(column => Math.max(...cells.map(line => line[column]?.length ?? 0)))
  return cells.map(line => `  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
}

function verdict(row: JudgedRow): string {
  if (verifies(row)) return row.answer?.kind === 'refused' ? `verifies, ${row.answer.reason}` : 'verifies'
  return row.doubts.join(', ')
}

function orderLine(facts: KubeletFacts, { rows, isOutside }: KubeletJudgement, order: readonly string[] | undefined): string {
  if (isOutside) return 'Which order of address types would verify cannot be told from here: nobody was reached.'
  if (!rows.some(isReached)) return 'Which order of address types would verify cannot be told: no kubelet showed a certificate.'
  if (order === undefined) return 'No order of address types would verify for all kubelets that answer.'
  const isInForce = order.join() === facts.order.join()
  return isInForce
    ? 'By the order in force, all kubelets that answer verify.'
    : `All kubelets that answer would verify by the order ${order.join(', ')}.`
}

function servedLine({ servedBy }: KubeletFacts): string {
  if (servedBy === undefined) return 'metrics.k8s.io: no APIService was seen.'
  const { service, isAvailable, message, strictUntilMs } = servedBy
  const state = isAvailable === undefined ? 'its state is not known' : isAvailable ? 'available' : `not available: ${message}`
  return `metrics.k8s.io: ${service === undefined ? 'the API server itself' : `Service ${service}`}, ${state}${strictUntilMs === undefined ? '' : `, ${untilWords(strictUntilMs)}`}`
}

interface PinSeen {
  readonly node: string
  readonly key: string
  readonly verdict: PinVerdict
}

/** What the key of each kubelet that showed one is, beside its pin; none where nothing is pinned or read. Pure. */
export function pinVerdicts({ pinning, tried }: Pick<KubeletFacts, 'pinning' | 'tried'>): readonly PinSeen[] {
  const { pins, uids } = pinning ?? {}
  if (pins === undefined) return []
  const seen = new Map<string, string>()
  for (const { node, contact } of tried) if (contact.kind === 'certificate') seen.set(node, contact.certificate.key ?? '')
  return [...seen].map(([node, key]) => ({
    ...{ node, key },
    verdict: judgePin(pinAt(pins, node), { uid: uids?.get(node) ?? '' }, key),
  }))
}

/** What is pinned beside what was seen: one line a node that differs, with what has its key of now pinned. Pure. */
export function pinLines({ pinning, tried }: Pick<KubeletFacts, 'pinning' | 'tried'>): readonly string[] {
  if (pinning === undefined) return []
  const { namespace, pins } = pinning
  const where = `ConfigMap ${namespace}/${pinsName}`
  if (pins === undefined) return [`Pins: ${where} could not be read.`]
  const differing = pinVerdicts({ pinning, tried }).flatMap(({ node, key, verdict }) => {
    if (verdict === 'pinned') return []
    if (verdict === 'unpinned' || verdict === 'renewed') return [`  ${node}: ${verdict}, its next key is kept: now sha256:${key}`]
    const what = verdict === 'changed' ? `shows sha256:${key}, which is not its pin` : 'what is kept of it is no pin'
    return [`  ${node}: ${what}; to believe it from now on: ${forgetLine(namespace, node)}`]
  })
  return [`Pins: ${Object.keys(pins).length} in ${where}; no authority is asked.`, ...differing]
}

/** The same for programs; times are texts. */
export function kubeletDocument(facts: KubeletFacts, judgement: KubeletJudgement): object {
  return {
    order: { inForce: facts.order, from: facts.orderFrom, verifying: judgement.order ?? null },
    reached: judgement.rows.some(isReached),
    kubelets: judgement.rows.map(({ certificate, ...row }) => ({
      ...row,
      verifies: row.doubts.length === 0,
      ...(certificate === undefined
        ? {}
        : {
            certificate: {
              names: certificate.names,
              subject: certificate.subject,
              issuer: certificate.issuer,
              notBefore: formatTime(certificate.fromMs),
              notAfter: formatTime(certificate.untilMs),
            },
          }),
    })),
    ...(facts.pinning === undefined ? {} : { pins: facts.pinning.pins ?? null }),
    pendingRequests:
      facts.isPendingRead === false
        ? null
        : judgement.pending.map(({ sinceMs, node = null, ...request }) => ({ ...request, node, since: formatTime(sinceMs) })),
    sharedAddresses: judgement.shared,
    api: facts.servedBy === undefined ? null : servedDocument(facts.servedBy),
    cures: judgement.cures,
    notes: facts.notes,
  }
}

function servedDocument({ strictUntilMs, ...served }: NonNullable<KubeletFacts['servedBy']>): object {
  return { ...served, ...(strictUntilMs === undefined ? {} : { strictUntil: formatTime(strictUntilMs) }) }
}
