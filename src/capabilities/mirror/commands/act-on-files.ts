// How commands tell what goes wrong with containerd's hosts files.
import { messageOf } from '#kube/log.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'

/** A file that cannot be read or written is told without a trace: it is the machine's affair. */
export async function actOnFiles<Done>(act: () => Promise<Done>): Promise<Done> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof Error && error.name === 'FileFault') throw new CommandRefused(messageOf(error), exitCodes.failed)
    throw error
  }
}
