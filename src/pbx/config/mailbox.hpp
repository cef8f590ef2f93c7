#pragma once

#include <string>

namespace strowger::pbx::config {

/// voicemail.conf: `number => password,full name,email,pager,options` of one context.
struct Mailbox {
    std::string context;
    std::string number;
    std::string password;
    std::string fullname;
    std::string email;
    std::string pager;
    std::string options;  ///< "attach=yes|tz=central"
};

}  // namespace strowger::pbx::config
