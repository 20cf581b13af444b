// Two controllers from one seed, for a number of steps: what is delayed, lost, killed and deleted follows from the seed.
import { JudgedServer } from './judged-server.ts'
import { LossyWorld } from './lossy-world.ts'
import { type Flags, Process } from './simulated-controller.ts'

export const stepsPerSeed = 20_000
const troubleEvery = 0.002

/** So many steps from `seed`, or until the judge finds something. */
export async function simulate(seed: number, flags: Flags & { readonly isListStale?: boolean } = {}): Promise<JudgedServer> {
  const world = new LossyWorld(seed)
  const server = new JudgedServer(world, { isListStale: flags.isListStale === true })
  let started = 0
  const start = () => new Process(world, server, { identity: `controller-${++started}`, flags })
  const controllers: [Process, Process] = [start(), start()]
  while (world.steps < stepsPerSeed && server.violations.length === 0) {
    await world.step()
    if (!world.happens(troubleEvery)) continue
    const at = world.happens(0.5) ? 0 : 1
    const controller = controllers[at]
    const trouble = world.random()
    if (trouble < 0.4) {
      if (trouble < 0.3) controller.kill()
      else controller.stop()
      controllers[at] = start()
    } else if (trouble < 0.75) controller.pausedUntilMs = world.nowMs + world.random() * 40_000
    else if (trouble < 0.9) controller.skewMs += world.happens(0.5) ? 3_600_000 : -3_600_000
    else server.deleteLease()
  }
  for (const controller of controllers) controller.kill()
  return server
}
