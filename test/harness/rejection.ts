/** The error that `promise` rejects with; throws when it does not reject with one. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const error: unknown = await promise.then(
    () => "it did not fail",
    (reason: unknown) => reason,
  );
  if (error instanceof Error) return error;
  throw new Error("It was expected to fail with an error, and did not.", { cause: error });
}
