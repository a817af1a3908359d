import type { CommandRequest, CommandResult, HostUser } from "../support/command.ts";

/** Starts programs and looks up the users that they run as. */
export interface Commands {
  /**
   * Runs a command in a session and process group of its own and waits for its end.
   *
   * @throws DeployError `aborted` when the signal was aborted (its group has been killed by then), `config-invalid` for a
   *   user that the agent cannot become, `disk-full` or `internal` when the log or the program cannot be opened
   */
  run(request: CommandRequest): Promise<CommandResult>;
  /** @throws DeployError `config-invalid` when the user does not exist on the host */
  user(name: string): HostUser;
  /** The home of a user, or of the agent's own, where it exists and that user may write to it; null otherwise. */
  usableHome(user: HostUser | undefined): Promise<string | null>;
}
