export interface HeldLock extends AsyncDisposable {
  /** May be called more than once. */
  release(): Promise<void>;
}

/** Lets only one agent work in a directory. */
export interface Lock {
  /**
   * Takes the lock file for as long as this process lives or until it is released.
   *
   * @throws DeployError `already-running` naming the holder's pid and the file
   */
  acquire(path: string): Promise<HeldLock>;
}
