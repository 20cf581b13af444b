// Where a kubelet's policies are read: its configuration file, or the kubelet itself.

import { isIPv6 } from 'node:net'
import { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import type { HostTree } from '#machines/host-tree.ts'
import { policyInAnswer, policyInFile, type TopologyPolicy } from './kubelet-policy.ts'

const kubeletPort = 10_250
const connectLimitMs = 5_000
/** A kubelet that does not answer is not waited for longer, as upstream has it from 0.20 on. */
const configurationLimitMs = 120_000
const mostConfigurationBytes = 4 * 1024 * 1024

/** The address at which a node's kubelet says its configuration. */
export function configzOf(address: string): string {
  return `https://${isIPv6(address) ? `[${address}]` : address}:${kubeletPort}/configz`
}

interface Around {
  readonly clock: Clock
  readonly tree: HostTree
  /** Shown to the kubelet. */
  readonly tokenFile: string
}

/** The policies at an address, `file:` or `https:`. @throws OutsideError where they cannot be had; `signal.reason` */
export async function readPolicy(uri: string, around: Around, signal: AbortSignal): Promise<TopologyPolicy> {
  const url = new URL(uri)
  if (url.protocol !== 'file:') return await askedPolicy(url, around, signal)
  const path = decodeURIComponent(url.pathname)
  const text = around.tree.rawText(path)
  if (text === undefined) throw new OutsideError(`the configuration of the kubelet, ${path}, cannot be read`)
  return policyInFile(text, path)
}

async function askedPolicy(url: URL, { clock, tree, tokenFile }: Around, signal: AbortSignal): Promise<TopologyPolicy> {
  const token = tree.text(tokenFile)
  if (token === undefined || token === '') throw new OutsideError(`the token for the kubelet, ${tokenFile}, cannot be read`)
  await using http = new OutgoingHttp({
    clock,
    connectMs: connectLimitMs,
    answerMs: configurationLimitMs,
    mostConnections: 1,
    // A kubelet signs its own certificate unless somebody has set up another, and the way to it does not leave the node.
    tls: { isInsecure: true },
  })
  const where = `${url.origin}${url.pathname}`
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json' }
  try {
    const { status, body } = await http.ask({ url, headers, mostBytes: mostConfigurationBytes, signal })
    if (status !== 200) throw new AnswerError(`${where}: the kubelet answers with status ${status}`)
    return policyInAnswer(body.toString('utf8'), where)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof AnswerError) throw error
    // Whatever a connection can end with is the kubelet's doing.
    throw new OutsideError(`${where}: ${messageOf(error)}`, { cause: error })
  }
}
