#pragma once

#include "pbx/bridge.hpp"
#include "pbx/dialplan/applications.hpp"
#include "pbx/dialplan/functions.hpp"

// The dialplan applications that need a channel, one family a file. The calls that run them are
// Channels; what the families are told stands in the documentation of each application.
namespace strowger::pbx {

/// Answer, Hangup, Busy, Congestion, Ringing, Progress, Proceeding, Incomplete, SoftHangup,
/// HangupCauseClear.
void add_answer_applications(dialplan::Applications& applications);
/// Playback, Background, ControlPlayback, Playtones, StopPlaytones, Milliwatt, Zapateller,
/// Morsecode.
void add_playback_applications(dialplan::Applications& applications);
/// MusicOnHold, StartMusicOnHold, StopMusicOnHold, SetMusicOnHold.
void add_music_applications(dialplan::Applications& applications);
/// WaitExten, Read, ReadExten, WaitDigit, Authenticate, SendDTMF.
void add_digit_applications(dialplan::Applications& applications);
/// SayDigits, SayNumber, SayAlpha, SayPhonetic, SayOrdinal, SayUnixTime, SayMoney.
void add_say_applications(dialplan::Applications& applications);
/// Record, MixMonitor, StopMixMonitor.
void add_record_applications(dialplan::Applications& applications);
/// Echo.
void add_echo_applications(dialplan::Applications& applications);
/// Wait, WaitUntil.
void add_wait_applications(dialplan::Applications& applications);
/// Transfer, BlindTransfer, AttendedTransfer, ChannelRedirect.
void add_transfer_applications(dialplan::Applications& applications, Bridge::Starter starter);
/// Pickup, PickupChan.
void add_pickup_applications(dialplan::Applications& applications);
/// ChanIsAvail, Bridge.
void add_availability_applications(dialplan::Applications& applications, Bridge::Starter starter);
/// Park, ParkedCall.
void add_park_applications(dialplan::Applications& applications, Bridge::Starter starter);
/// ConfBridge.
void add_conference_applications(dialplan::Applications& applications, Bridge::Starter starter);
/// BridgeWait.
void add_bridge_wait_application(dialplan::Applications& applications);
/// Page.
void add_page_application(dialplan::Applications& applications, Bridge::Starter starter);
/// ChanSpy, ExtenSpy.
void add_spy_applications(dialplan::Applications& applications);
/// Queue.
void add_queue_application(dialplan::Applications& applications, Bridge::Starter starter);
/// AddQueueMember, RemoveQueueMember, PauseQueueMember, UnpauseQueueMember, QueueLog, QueueUpdate.
void add_queue_member_applications(dialplan::Applications& applications);
/// FollowMe.
void add_follow_me_application(dialplan::Applications& applications, Bridge::Starter starter);
/// DISA, PrivacyManager.
void add_access_applications(dialplan::Applications& applications);
/// Directory.
void add_directory_application(dialplan::Applications& applications);
/// ParkAndAnnounce.
void add_announce_park_application(dialplan::Applications& applications, Bridge::Starter starter);
/// AMD, BackgroundDetect, WaitForSilence, WaitForNoise.
void add_talk_applications(dialplan::Applications& applications);
/// MP3Player.
void add_mp3_application(dialplan::Applications& applications);
/// AudioSocket.
void add_audio_socket_application(dialplan::Applications& applications);
/// ExternalIVR.
void add_external_ivr_application(dialplan::Applications& applications);
/// Festival.
void add_festival_application(dialplan::Applications& applications);
/// System, TrySystem, UserEvent, DumpChan, SendText.
void add_system_applications(dialplan::Applications& applications);

/// All of them. `starter` begins a dialplan on a channel that has none (the exchange's).
void add_channel_applications(dialplan::Applications& applications, Bridge::Starter starter = {});

/// CALLERID, CONNECTEDLINE, REDIRECTING.
void add_caller_functions(dialplan::Functions& functions);
/// CHANNEL, CHANNELS, MASTER_CHANNEL, SHARED, IMPORT, EXPORT, TIMEOUT, HANGUPCAUSE, MUTEAUDIO.
void add_leg_functions(dialplan::Functions& functions);
/// PJSIP_DIAL_CONTACTS, PJSIP_ENDPOINT, PJSIP_AOR, PJSIP_CONTACT, PJSIP_HEADER and their like.
void add_pjsip_functions(dialplan::Functions& functions);
/// DEVICE_STATE, EXTENSION_STATE, HINT.
void add_state_functions(dialplan::Functions& functions);
/// GROUP, GROUP_COUNT, GROUP_MATCH_COUNT, GROUP_LIST, LOCK, TRYLOCK, UNLOCK.
void add_group_functions(dialplan::Functions& functions);
/// CONFBRIDGE, CONFBRIDGE_INFO, CONFBRIDGE_CHANNELS.
void add_conference_functions(dialplan::Functions& functions);
/// PARK_GET_CHANNEL.
void add_park_functions(dialplan::Functions& functions);
/// CDR.
void add_cdr_functions(dialplan::Functions& functions);
/// FILE, STAT, SYSINFO.
void add_file_functions(dialplan::Functions& functions);
/// CURL, CURLOPT.
void add_curl_functions(dialplan::Functions& functions);
/// QUEUE_MEMBER, QUEUE_MEMBER_LIST, QUEUE_MEMBER_PENALTY, QUEUE_WAITING_COUNT, QUEUE_VARIABLES,
/// QUEUE_EXISTS, QUEUE_GET_CHANNEL.
void add_queue_functions(dialplan::Functions& functions);
/// FEATURE, FEATUREMAP.
void add_feature_functions(dialplan::Functions& functions);
/// VOLUME, AGC, DENOISE, JITTERBUFFER.
void add_sound_functions(dialplan::Functions& functions);
/// TALK_DETECT.
void add_talk_functions(dialplan::Functions& functions);
/// PRESENCE_STATE.
void add_presence_functions(dialplan::Functions& functions);
/// AST_CONFIG.
void add_config_functions(dialplan::Functions& functions);
/// SHELL.
void add_shell_functions(dialplan::Functions& functions);
/// SRVQUERY, SRVRESULT, ENUMLOOKUP, ENUMQUERY, ENUMRESULT, TXTCIDNAME.
void add_dns_functions(dialplan::Functions& functions);
/// All of them.
void add_channel_functions(dialplan::Functions& functions);

/// Every application and function that a dialplan may use: those above, those of the dialplan
/// itself, Dial and text messages.
void add_all_applications(dialplan::Applications& applications, Bridge::Starter starter = {});
void add_all_functions(dialplan::Functions& functions);

}  // namespace strowger::pbx
