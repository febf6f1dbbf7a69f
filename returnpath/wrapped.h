/* wrapped.h - local parts that somebody on the way put around ours. Pure.
 *
 *   BATV    prvs=KDDDSSSSSS=local          draft-levine-smtp-batv: key digit, day, 6 hex digits
 *           prvs=local/KDDDSSSSSS          of its first drafts
 *           btv1==id==local                Barracuda
 *   SRS     SRS0=HHH=TT=domain=local       a forwarder's: hash, time, our address
 *           SRS1=HHH=host==HHH=TT=domain=local   the second forwarder's and later ones'
 *           behind SRS0 and SRS1, and where the first SRS0 began, '=' may be '+' or '-'
 *
 * Words in any case. Their hashes are others' business: they prove nothing here. */
#ifndef RETURNPATH_WRAPPED_H
#define RETURNPATH_WRAPPED_H

#include "base/str.h"

/* More than one forwarder writes SRS1 once; BATV may stand around it. */
enum { WRAPPED_DEPTH_MAX = 3 };

/* Takes one wrapping off. True, and slices of local; *ret_domain is absent when the wrapping does
 * not change it (BATV). False (untouched): it is not wrapped. */
bool wrapped_open(struct str local, struct str *ret_local, struct str *ret_domain);

#endif
