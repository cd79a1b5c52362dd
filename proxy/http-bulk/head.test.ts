import { describe, expect, it } from 'vitest';
import { formatRequest, parsePlainHead } from './head.js';

const head = (...lines: string[]): ReturnType<typeof parsePlainHead> => parsePlainHead(lines.join('\r\n'));

describe('the head of an answer', () => {
  it('is plain where it says how many bytes follow', () => {
    expect(head('HTTP/1.1 206 Partial Content', 'Content-Length: 12', 'ETag:"a"  ', 'X-Two: 1', 'x-two:\t2')).toEqual({
      status: 206,
      length: 12,
      isKept: true,
      headers: { 'content-length': '12', etag: '"a"', 'x-two': ['1', '2'] },
    });
    expect(head('HTTP/1.1 404 ', 'content-length: 0', 'connection: Keep-Alive, Close')).toMatchObject({
      status: 404,
      length: 0,
      isKept: false,
    });
    expect(head('HTTP/1.1 200', 'content-length: 0', '__proto__: x')?.headers['__proto__']).toBe('x');
  });

  it.each([
    ['chunked', ['HTTP/1.1 200 OK', 'Transfer-Encoding: chunked']],
    ['chunked and of a length', ['HTTP/1.1 200 OK', 'Content-Length: 3', 'Transfer-Encoding: chunked']],
    ['as long as the connection', ['HTTP/1.1 200 OK', 'Server: x']],
    ['of two lengths', ['HTTP/1.1 200 OK', 'Content-Length: 3', 'Content-Length: 4']],
    ['of a length that is none', ['HTTP/1.1 200 OK', 'Content-Length: 3, 3']],
    ['of a negative length', ['HTTP/1.1 200 OK', 'Content-Length: -3']],
    ['informational', ['HTTP/1.1 100 Continue', 'Content-Length: 3']],
    ['without a body by its status', ['HTTP/1.1 304 Not Modified', 'Content-Length: 3']],
    ['of another version', ['HTTP/1.0 200 OK', 'Content-Length: 3']],
    ['of a continued line', ['HTTP/1.1 200 OK', 'Content-Length: 3', ' 4']],
    ['of a name with a space', ['HTTP/1.1 200 OK', 'Content-Length : 3']],
    ['of a bare line feed', ['HTTP/1.1 200 OK', 'Content-Length: 3\nX: y']],
    ['no HTTP', ['SSH-2.0-OpenSSH']],
    ['nothing', ['']],
  ])('is not plain where it is %s', (_, lines) => {
    expect(head(...lines)).toBeUndefined();
  });
});

describe('a request', () => {
  it('is sent with its host, and with what it is given', () => {
    expect(formatRequest(new URL('http://host:8080/a%20b?c=d'), { range: 'bytes=0-1' }).toString()).toBe(
      'GET /a%20b?c=d HTTP/1.1\r\nhost: host:8080\r\nconnection: keep-alive\r\nrange: bytes=0-1\r\n\r\n',
    );
  });

  it('is refused where a header would end it', () => {
    for (const headers of [{ a: 'b\r\nc: d' }, { 'a\r\nb': 'c' }, { 'a b': 'c' }, { a: '\0' }])
      expect(() => formatRequest(new URL('http://host/'), headers)).toThrow(TypeError);
  });
});
