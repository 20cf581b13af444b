// What Intel's operator answers about pods with FPGAs, with names of functions and regions in two namespaces.

import { ok } from 'node:assert'
import { applyJsonPatch, readJsonPatch } from '#kube/objects/json-patch.ts'
import { eventually } from '../ballast/example-cluster.ts'
import type { ControlPlane } from '../control-plane/start.ts'
import { review } from './admission-review.ts'
import { fpgaNamespaces, fpgaObject, fpgaObjects, fpgaParts, fpgaPod, fpgaPodCases } from './fpga-cases.ts'

/** What containers get; `null`: the pod is refused; `broken`: the patch is none, so that an API server refuses the pod. */
export type FpgaAnswer = object | null | 'broken'

export const fpgaDefinitions = ['acceleratorfunctions.fpga.intel.com', 'fpgaregions.fpga.intel.com'] as const

type Client = ControlPlane['client']
type At = Parameters<typeof review>[0]

/** Makes the objects that names are of, in their namespaces. */
async function madeFpgaObjects(client: Client): Promise<void> {
  for (const name of fpgaNamespaces) await client.want('POST', '/api/v1/namespaces', { metadata: { name } })
  for (const one of fpgaObjects) {
    const object = fpgaObject(one)
    const plural = `${object.kind.toLowerCase()}s`
    await client.want('POST', `/apis/${object.apiVersion}/namespaces/${object.metadata.namespace}/${plural}`, object)
  }
}

export async function fpgaAnswers(client: Client, at: At): Promise<readonly FpgaAnswer[]> {
  await madeFpgaObjects(client)
  // Each name that can be used is taken once its object was seen.
  for (const { name, namespace, spec } of fpgaObjects) {
    if (spec['mode'] === 'afx' || name === 'odd') continue
    const amounts = { [`fpga.intel.com/${name}`]: '1' }
    const containers = [{ name: 'a', resources: { limits: amounts, requests: amounts } }]
    const pod = fpgaPod({ says: name, containers, ...(namespace === undefined ? {} : { namespace }) })
    await eventually(
      () => `${name} is not taken`,
      async () => ((await review(at, '/pods', pod)).allowed ? true : undefined),
      30_000,
    )
  }
  const answers: FpgaAnswer[] = []
  for (const one of fpgaPodCases) {
    const pod = fpgaPod(one)
    answers.push(answerOf(pod, await review(at, '/pods', pod, one.namespace ?? 'default')))
  }
  return answers
}

function answerOf(pod: ReturnType<typeof fpgaPod>, { allowed, patch }: Awaited<ReturnType<typeof review>>): FpgaAnswer {
  if (!allowed) return null
  if (patch === undefined) return fpgaParts(pod)
  const text = Buffer.from(patch, 'base64').toString()
  let written: unknown
  try {
    written = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return 'broken'
    throw error
  }
  const operations = readJsonPatch(written)
  ok(operations.ok, text)
  const after = applyJsonPatch(pod, operations.value)
  ok(after.ok, text)
  return fpgaParts(after.value as typeof pod)
}
