// Reads a case of `scaler-cases.ts` by the scaler of its type, and says where that differs from what is expected.
import { scalerKind } from '../src/capabilities/autoscale/scalers/registry.ts'
import { openedTrigger, scalerWorld } from '../src/capabilities/autoscale/scalers/testdata/scaler-world.ts'
import type { ScalerCase } from './scaler-cases.ts'

/** Undefined: as expected. */
export async function differenceOf(one: ScalerCase, address: string, signal: AbortSignal): Promise<string | undefined> {
  await using world = scalerWorld()
  const { type, auth = {}, metric, expected } = one
  const kind = await scalerKind(type)
  if (kind === undefined) return `${type}: there is no such scaler`
  await using scaler = await kind.open(
    openedTrigger(type, one.metadata(address), { auth: typeof auth === 'function' ? auth(address) : auth }),
    world,
  )
  const [found] = await scaler.metrics(signal)
  const name = found?.type === 'External' ? found.external.metric.name : undefined
  const said = (what: string) => `${type}, ${one.name}: ${what}`
  if (name !== metric) return said(`its metric is ${name}, expected ${metric}`)
  try {
    const { values } = await scaler.read(metric, signal)
    const value = values[0]?.value
    return value === expected ? undefined : said(`${value}, expected ${expected}`)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return expected instanceof RegExp && expected.test(message) ? undefined : said(`${message}, expected ${expected}`)
  }
}
