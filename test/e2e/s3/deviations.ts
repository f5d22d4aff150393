/** Deviations that come with S3 itself. */
export const S3_DEVIATIONS = {
  'complete twice: the second is upload-not-found and harms nothing':
    'an answer of S3 can be lost after it joined the parts, so a repeated complete proves the bytes again and succeeds (recovery.test.ts)',
  'another length is refused by the store, or by finish':
    'fetch itself refuses to send another length than the signed header says (presigned.test.ts sends it)',
  'a read that is under way ends whole when the blob is deleted': 'S3 promises nothing about it, and MinIO ends such a read now and then',
}
