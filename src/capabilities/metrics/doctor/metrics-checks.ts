// What keeps resource metrics from being had: another server behind metrics.k8s.io, and kubelets that are not believed, not reached, or that
// refuse. Kubelets are asked only by `ballast doctor metrics`.
import type { CapabilityFindings, Looked, LookOptions } from '#doctor/capability-findings.ts'
import type { ClusterFacts } from '#doctor/facts.ts'
import { type Finding, findingsOf, kind } from '#doctor/finding.ts'
import { registeredElsewhere } from '#doctor/registered-elsewhere.ts'
import { shown } from '#kube/objects/object-fields.ts'
import { servedApi } from '../names.ts'
import { forgetLine } from '../pins/pin-rules.ts'
import { gatherKubelets } from './gather-kubelets.ts'
import type { KubeletFacts } from './kubelet-facts.ts'
import {
  firstFew,
  isReached,
  type JudgedRow,
  judgeKubelets,
  type KubeletJudgement,
  usedRow,
  verifies,
} from './kubelet-judgement.ts'
import { kubeletDocument, kubeletLines, pinVerdicts } from './kubelet-report.ts'

const kinds = {
  'kubelet-certificate-pending': kind('warn', 'metrics', 'a kubelet waits for its certificate to be approved'),
  'kubelet-pin': kind('error', 'metrics', "a kubelet's key is not the one that is pinned"),
  'kubelet-refuses': kind('error', 'metrics', 'a kubelet that does not say what containers use'),
  'kubelet-unreached': kind('warn', 'metrics', 'a kubelet that does not answer where its node says it is'),
  'kubelet-untrusted': kind('error', 'metrics', "a kubelet's certificate does not verify by the address that is asked"),
  'kubelets-share-address': kind('warn', 'metrics', 'two nodes that say one address'),
  'metrics-elsewhere': kind('warn', 'metrics', 'the capability metrics is on, and another server answers metrics.k8s.io'),
}
const finding = findingsOf(kinds)
const capability = 'metrics'

/** What is registered leads elsewhere while ours measures: both scrape, and clients read the other, or nobody. */
function checkRegistration(facts: ClusterFacts): readonly Finding[] {
  const elsewhere = registeredElsewhere(facts, { capability, apiService: servedApi.name })
  if (elsewhere === undefined) return []
  const { registration, service } = elsewhere
  const where = `Service ${service.namespace}/${service.name} at port ${service.port}`
  return [
    finding('metrics-elsewhere', {
      object: shown(registration),
      message: `${where} answers it, while capabilities.metrics is on: kubelets are scraped by both, and kubectl top and autoscalers read the other`,
      fix: 'ballast migrate plan metrics-server',
      capability,
    }),
  ]
}

async function look(options: LookOptions): Promise<Looked> {
  const facts = await gatherKubelets(options)
  const judgement = judgeKubelets(facts)
  return {
    lines: kubeletLines(facts, judgement),
    document: kubeletDocument(facts, judgement),
    findings: kubeletFindings(facts, judgement),
    unread: facts.unread,
  }
}

/** One finding for each thing that is wrong, whatever the number of nodes. Pure. */
export function kubeletFindings(facts: KubeletFacts, judgement: KubeletJudgement): readonly Finding[] {
  const { rows, pending, shared, cures, isOutside } = judgement
  const fixOf = (pattern: RegExp, otherwise: string) => cures.find(({ what }) => pattern.test(what))?.lines[0] ?? otherwise
  const found: Finding[] = pending.map(({ name, node, by }) =>
    finding('kubelet-certificate-pending', {
      object: `CertificateSigningRequest ${name}`,
      message:
        node === undefined
          ? `${by} asks for a kubelet's certificate, and is no kubelet of a node that is there: do not approve it unseen`
          : `the kubelet of ${node} asks for its certificate`,
      fix: node === undefined ? `kubectl describe csr ${name}` : `kubectl certificate approve ${name}`,
      capability,
    }),
  )
  for (const { address, nodes } of shared)
    found.push(
      finding('kubelets-share-address', {
        object: `Nodes ${firstFew(nodes)}`,
        message: `they say one address, ${address}: one kubelet is measured for all of them`,
        fix: 'kubectl get nodes -o wide',
        capability,
      }),
    )
  const used = usedRows(rows, facts)
  const of = (wrong: readonly JudgedRow[]) =>
    `${wrong.length === 1 ? 'Node' : 'Nodes'} ${firstFew(wrong.map(({ node }) => node))}`
  const unreached = used.filter(row => !isReached(row))
  for (const [why, wrong] of Map.groupBy(unreached, ({ doubts }) => doubts.join(', ')))
    found.push(
      finding('kubelet-unreached', {
        object: of(wrong),
        message: `${why}: ${wrong[0]?.address}:${wrong[0]?.port}: ${wrong[0]?.told}`,
        fix: fixOf(isOutside ? /no kubelet was reached/ : /another order/, 'kubectl get nodes -o wide'),
        capability,
      }),
    )
  for (const { node, verdict } of pinVerdicts(facts))
    if (verdict === 'changed' || verdict === 'rubbish')
      found.push(
        finding('kubelet-pin', {
          object: `Node ${node}`,
          message:
            verdict === 'changed'
              ? 'its kubelet shows another key than is pinned: it is not asked'
              : 'what is kept of its key is no pin: it is not asked',
          fix: `find out why; to believe it from now on: ${forgetLine(facts.pinning?.namespace ?? '', node)}`,
          capability,
        }),
      )
  // With pins no authority is asked.
  const untrusted = facts.pinning === undefined ? used.filter(row => isReached(row) && !verifies(row)) : []
  for (const [why, wrong] of Map.groupBy(untrusted, ({ doubts }) => doubts.join(', ')))
    found.push(
      finding('kubelet-untrusted', {
        object: of(wrong),
        message: `${why}: ${wrong[0]?.address}: ${wrong[0]?.told}`,
        fix: fixOf(
          /another order/,
          fixOf(/have the cluster sign/, fixOf(/wait for their/, fixOf(/signed and name none/, 'kubectl get nodes -o wide'))),
        ),
        capability,
      }),
    )
  const refusing = used.filter(({ answer }) => answer?.kind === 'refused')
  for (const [why, wrong] of Map.groupBy(refusing, ({ answer }) => (answer?.kind === 'refused' ? answer.reason : '')))
    found.push(
      finding('kubelet-refuses', {
        object: of(wrong),
        message: `${why}: ${wrong[0]?.told}`,
        fix: fixOf(why === 'unauthorized' ? /401/ : why === 'forbidden' ? /403/ : /^$/, 'kubectl get nodes -o wide'),
        capability,
      }),
    )
  return found
}

/** The address of each node by which it is asked. */
function usedRows(rows: readonly JudgedRow[], { order }: KubeletFacts): readonly JudgedRow[] {
  return [...Map.groupBy(rows, ({ node }) => node).values()].flatMap(own => usedRow(own, order) ?? [])
}

export const metricsFindings: CapabilityFindings = {
  kinds,
  cluster: checkRegistration,
  look: { area: 'metrics', run: look },
}
