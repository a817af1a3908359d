import { accessCases } from "./access.ts";
import { childrenCases } from "./children.ts";
import { chrootCases } from "./chroot.ts";
import type { ContractCase } from "./contract.ts";
import { createCases } from "./create.ts";
import { dataCases } from "./data.ts";
import { deleteCases } from "./delete.ts";
import { lifetimeCases } from "./lifetime.ts";
import { multiCases } from "./multi.ts";
import { multiReadCases } from "./multi_read.ts";
import { permissionsCases } from "./permissions.ts";
import { persistentWatchCases } from "./persistent_watch.ts";
import { removedWatchCases } from "./removed_watch.ts";
import { sessionCases } from "./session.ts";
import { watchCases } from "./watch.ts";

/** What every server must do alike: Apache's alone, three of Apache's together, and the development server. */
export const contractCases: readonly ContractCase[] = [
  ...createCases,
  ...deleteCases,
  ...dataCases,
  ...childrenCases,
  ...watchCases,
  ...removedWatchCases,
  ...persistentWatchCases,
  ...multiCases,
  ...multiReadCases,
  ...accessCases,
  ...permissionsCases,
  ...lifetimeCases,
  ...chrootCases,
  ...sessionCases,
];
