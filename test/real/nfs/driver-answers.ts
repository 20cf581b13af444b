// What a driver, as a process, makes of the cases of `test/nfs-driver-cases.ts`.

import type { DriverCase } from '../../nfs-driver-cases.ts'
import { answersIn, type CaseAnswers } from '../../nfs-player.ts'
import { type DriverCommand, startDriver } from './driver-process.ts'
import { NfsSite } from './site.ts'

/** @throws PartUnavailable where there is no site to be had */
export async function answersTo(command: DriverCommand, one: DriverCase): Promise<CaseAnswers> {
  await using site = await NfsSite.start()
  return await answersIn(site, flags => startDriver(site, command, flags), one)
}
